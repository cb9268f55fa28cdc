use durable::prelude::*;

struct Jobs;

impl Jobs {
    #[durable]
    async fn helper(n: u32) -> Result<u32, BoxError> {
        Ok(n)
    }

    #[durable]
    async fn handler(n: u32) -> Result<u32, BoxError> {
        Ok(call!(Self::helper(n)).await?)
    }
}

fn main() {
    let _ = (Jobs::helper(), Jobs::handler());
}
