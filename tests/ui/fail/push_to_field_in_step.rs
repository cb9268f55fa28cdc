use durable::prelude::*;

#[derive(Default)]
struct Totals {
    lines: Vec<String>,
}

#[durable]
async fn handler() -> Result<(), BoxError> {
    let mut totals = Totals::default();
    step!("a", {
        totals.lines.push(work().await?);
        Ok(())
    })
    .await?;
    assert_eq!(totals.lines.len(), 1);
    Ok(())
}

async fn work() -> Result<String, BoxError> {
    Ok(String::new())
}

fn main() {
    let _ = handler();
}
