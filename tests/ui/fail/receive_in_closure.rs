use durable::prelude::*;

#[durable]
async fn chat(names: Vec<String>) -> Result<(), BoxError> {
    let all = names.iter().map(|_| receive!("line"));
    for line in all {
        let _: String = line.await?;
    }
    Ok(())
}

fn main() {}
