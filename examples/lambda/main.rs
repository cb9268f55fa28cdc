//! The load of `examples/etl.rs` as a Lambda function: the same handler, the same steps.
//!
//! An execution's input is the job, as `deploy.sh` writes it. The files are given by environment
//! variables: `ETL_SOURCE` is the CSV file in the image, `ETL_TARGET` the database on a file system
//! that every invocation sees, `ETL_EFFECTS` a file that gets a line whenever a step's body begins.

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

/// What the steps work with. A source or a target that cannot be used is found before any work is
/// taken.
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
    println!("{path} holds {rows} rows, its SHA-256 is {sha256}");
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
