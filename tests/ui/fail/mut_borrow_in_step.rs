use durable::prelude::*;

fn fill(list: &mut Vec<u32>) -> Result<(), String> {
    list.clear();
    Ok(())
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut list = vec![1];
    step!("a", fill(&mut list)).await?;
    Ok(())
}

fn main() {
    let _ = handler();
}
