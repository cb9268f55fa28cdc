use durable::prelude::*;

#[durable]
async fn handler(rows: Vec<u32>) -> Result<(), BoxError> {
    let mut rows = rows.into_iter();
    step!("first", {
        let first = rows.next();
        insert(first).await
    })
    .await?;
    assert_eq!(rows.len(), 1);
    Ok(())
}

async fn insert(row: Option<u32>) -> Result<(), BoxError> {
    let _ = row;
    Ok(())
}

fn main() {
    let _ = handler();
}
