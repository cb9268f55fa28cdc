use durable::prelude::*;

#[durable]
async fn handler() -> Result<u32, std::rc::Rc<str>> {
    Ok(5)
}

fn main() {
    let _ = handler();
}
