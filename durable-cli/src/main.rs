//! The `durable` command.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use durable_cli::render::Style;
use durable_cli::{Cli, CliError, run};

#[tokio::main]
async fn main() -> ExitCode {
    let style = Style::for_terminal(
        io::stdout().is_terminal(),
        std::env::var_os("NO_COLOR"),
        std::env::var_os("TERM"),
    );
    match run(Cli::parse(), style).await {
        Ok(text) => match print(&text) {
            // Whoever read the output has seen enough: `durable ls | head -1`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => complain(&format!("cannot write the output: {error}")),
            Ok(()) => ExitCode::SUCCESS,
        },
        Err(error @ CliError::Unsafe(_)) => match print(&error.to_string()) {
            Ok(()) => error.exit_code().into(),
            Err(unwritten) => complain(&format!("cannot write the output: {unwritten}")),
        },
        Err(error) => {
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
