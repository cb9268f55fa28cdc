//! Subject of AWS's conformance suite. The environment variable `HANDLER` selects the function of a requirement.

mod handlers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), durable::BoxError> {
    handlers::run(&std::env::var("HANDLER")?).await
}
