//! Durable functions in an `impl` block.
#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

/// The state.
pub struct App {
    factor: u32,
}

/// Type that the durable functions are associated with.
pub struct Jobs;

impl Jobs {
    const STEP: u32 = 1;

    /// Counts down, and calls itself.
    #[durable(name = "countdown")]
    pub async fn run(app: &App, n: u32) -> Result<u32, BoxError> {
        if n == 0 {
            return Ok(app.factor);
        }
        let less = call!(Jobs::less(n)).await?;
        Ok(call!(Jobs::run(less)).await? + 1)
    }

    #[durable]
    async fn less(n: u32) -> Result<u32, BoxError> {
        let less = step!("less", Ok::<_, BoxError>(n - Jobs::STEP)).await?;
        Ok(less)
    }
}

#[tokio::test]
async fn runs() -> Result<(), BoxError> {
    let store = durable::open("memory:").await?;
    let app = App { factor: 7 };
    let number = durable::run(Jobs::run, "a", 3)
        .state(&app)
        .store(store)
        .await?;
    assert_eq!(number, 10);
    Ok(())
}
