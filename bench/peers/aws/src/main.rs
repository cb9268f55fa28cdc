//! Benchmark of AWS's Rust SDK for durable functions, in its local runner.

use std::fmt::Write as _;
use std::time::Instant;

use aws_durable_execution_sdk::DurableContext;
use aws_durable_execution_sdk::test_util::{LocalRunner, TestResult};
use clap::Parser;
use peer_common::probes::LAPS;
use peer_common::{Arguments, BoxError, Line, Row, Samples, Template};
use std::time::Duration;

const LIBRARY: &str = "aws-durable-execution-sdk";

async fn replayed(n: u32, context: DurableContext) -> Result<u64, BoxError> {
    let mut total = 0;
    LAPS.lap();
    for i in 0..n {
        let row: Row = context
            .step(move |_| async move { Ok(Row::new(i)) })
            .name("load")
            .await?;
        total += u64::from(row.rows);
    }
    LAPS.lap();
    context.wait(Duration::from_secs(1)).await?;
    Ok(total)
}

async fn batches((n, batches): (u32, u32), context: DurableContext) -> Result<u64, BoxError> {
    let items: Vec<u64> = (0..u64::from(n)).collect();
    let mut total = 0;
    for batch in items.chunks(items.len().div_ceil(batches as usize).max(1)) {
        // Bodies cannot borrow.
        let batch = batch.to_vec();
        total += context
            .step(move |_| async move {
                Ok(batch
                    .iter()
                    .map(|item| std::hint::black_box(*item))
                    .sum::<u64>())
            })
            .name("sum")
            .await?;
    }
    Ok(total)
}

/// Creates the runner in the settings in which it does the least work: without pages and with batching.
fn runner() -> LocalRunner {
    LocalRunner::new().single_page().checkpoint_batching()
}

fn succeeded(result: &TestResult<u64>) -> Result<(), BoxError> {
    match result.is_success() {
        true => Ok(()),
        false => Err(format!("the run failed: {:?}", result.error_message()).into()),
    }
}

async fn measure(arguments: &Arguments) -> Result<Samples, BoxError> {
    let n = arguments.n();
    if arguments.workload == "batches" {
        let start = Instant::now();
        succeeded(&runner().run(batches, (n, arguments.flags.steps)).await)?;
        return Ok(Samples::new([start.elapsed()], n));
    }
    succeeded(&runner().run(replayed, n).await)?;
    // The first invocation executes the steps. The one after the wait replays them all.
    let last = LAPS.take().pop().ok_or("nothing was replayed")?;
    Ok(Samples::new([last], n))
}

fn template() -> Template {
    Template {
        dependency: "aws-durable-execution-sdk = \"=0.1.0\"".to_owned(),
        header: "use aws_durable_execution_sdk::{BoxError, DurableContext, Options, wrap};\n\
                 async fn work(n: u32) -> Result<u32, BoxError> { Ok(n) }\n",
        result: "Result<u32, BoxError>",
        attribute: "",
        registering: "",
        parameters: "n: u32, ctx: DurableContext",
        call: |site| format!("ctx.step(move |_| work(n)).name(\"s{site}\")"),
        register,
    }
}

fn register(functions: u32) -> String {
    let mut text = "pub fn register() {\n".to_owned();
    for function in 0..functions {
        let _ = writeln!(text, "    drop(wrap(f{function}, Options::default()));");
    }
    text + "}\n"
}

fn main() -> Result<(), BoxError> {
    let arguments = Arguments::parse();
    let unit = match arguments.workload.as_str() {
        "replay" => "us_per_step",
        "batches" => "us_per_item",
        "compile" => return peer_common::compile(LIBRARY, &arguments, template),
        _ => return Err(arguments.unsupported()),
    };
    let runtime = arguments.runtime()?;
    for run in 1..=arguments.flags.repeat {
        let samples = runtime.block_on(measure(&arguments))?;
        Line::new(LIBRARY, &arguments, run, unit, &samples).print()?;
    }
    Ok(())
}
