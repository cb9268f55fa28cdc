//! The subject of AWS's conformance suite: the environment variable `HANDLER` says which requirement's function
//! this process runs.

mod handlers;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), durable::BoxError> {
    handlers::run(&std::env::var("HANDLER")?).await
}
