use durable::prelude::*;

#[durable]
async fn handler(program: String) -> Result<(), BoxError> {
    std::process::Command::new(program).status()?;
    Ok(())
}

fn main() {
    let _ = handler();
}
