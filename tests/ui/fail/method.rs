use durable::prelude::*;

struct Service;

impl Service {
    #[durable]
    async fn handler(&self) -> Result<(), BoxError> {
        step!("a", Ok::<_, String>(())).await?;
        Ok(())
    }
}

fn main() {
    drop(Service.handler());
}
