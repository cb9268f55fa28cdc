//! The load of `examples/etl.rs` as a Lambda function, with the same handler.
//!
//! The input of an execution is the job that `deploy.sh` writes. Environment variables name the files: `ETL_SOURCE` the
//! CSV file in the image, `ETL_TARGET` the database on a file system shared by all invocations, and `ETL_EFFECTS` a file
//! to which each body appends a line when it starts.

#[path = "../etl/app.rs"]
mod app;
#[path = "../etl/handler.rs"]
mod handler;

use std::path::PathBuf;

use app::{App, Console, Source, Target};
use durable::prelude::*;

fn file(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| default.into(), PathBuf::from)
}

/// Creates the state. Checks the source and the target before the first invocation.
fn app() -> Result<App, BoxError> {
    let source = Source {
        path: file("ETL_SOURCE", "/var/task/birdstrikes.csv"),
    };
    let target = Target {
        path: file("ETL_TARGET", "/mnt/etl/target.db"),
    };
    let checked = source.check()?;
    target.check()?;
    let (rows, sha256, path) = (checked.rows, checked.sha256, source.path.display());
    println!("{path} has {rows} rows and the SHA-256 {sha256}");
    Ok(App {
        console: Console::new(rows),
        source,
        target,
        effects: std::env::var_os("ETL_EFFECTS").map(PathBuf::from),
        crash_after: None,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    durable::lambda::run(handler::etl, app()?).await
}
