use durable::prelude::*;

struct Jobs;

impl Jobs {
    fn one() -> u32 {
        1
    }

    #[durable]
    async fn handler(n: u32) -> Result<u32, BoxError> {
        Ok(step!("add", Ok::<_, BoxError>(n + Self::one())).await?)
    }
}

fn main() {
    let _ = (Jobs::one(), Jobs::handler());
}
