use durable::prelude::*;

#[durable]
async fn handler(number: std::rc::Rc<u32>) -> Result<(), BoxError> {
    drop(number);
    Ok(())
}

fn main() {
    let _ = handler();
}
