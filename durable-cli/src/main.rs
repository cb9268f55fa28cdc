//! The `durable` command.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use durable_cli::render::Style;
use durable_cli::{Cli, CliError, run_to};

#[tokio::main]
async fn main() -> ExitCode {
    let style = Style::for_terminal(
        io::stdout().is_terminal(),
        std::env::var_os("NO_COLOR"),
        std::env::var_os("TERM"),
    );
    let mut unwritten = None;
    let answered = run_to(Cli::parse(), style, &mut |text| {
        unwritten = unwritten.take().or(print(text).err());
        unwritten.is_none()
    })
    .await;
    match (answered, unwritten) {
        // Whoever read the output has seen enough: `durable ls | head -1`.
        (_, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        (_, Some(error)) => complain(&format!("cannot write the output: {error}")),
        (Ok(()), None) => ExitCode::SUCCESS,
        (Err(error @ CliError::Unsafe(_)), None) => match print(&error.to_string()) {
            Ok(()) => error.exit_code().into(),
            Err(unwritten) => complain(&format!("cannot write the output: {unwritten}")),
        },
        (Err(error), None) => {
            if let CliError::Partly { done, .. } = &error {
                // What went wrong is told in any case.
                let _ = print(done);
            }
            complain(&error.to_string());
            error.exit_code().into()
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn complain(message: &str) -> ExitCode {
    // There is nowhere left to report that this failed.
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::FAILURE
}
