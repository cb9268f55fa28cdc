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
    let mut write_error = None;
    let result = run_to(Cli::parse(), style, &mut |text| {
        write_error = write_error.take().or(print(text).err());
        write_error.is_none()
    })
    .await;
    match (result, write_error) {
        // The reader closed the pipe, as in `durable ls | head -1`.
        (_, Some(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        (_, Some(error)) => print_error(&format!("cannot write the output: {error}")),
        (Ok(()), None) => ExitCode::SUCCESS,
        (Err(error @ CliError::Unsafe(_)), None) => match print(&error.to_string()) {
            Ok(()) => error.exit_code().into(),
            Err(error) => print_error(&format!("cannot write the output: {error}")),
        },
        (Err(error), None) => {
            if let CliError::Partly { done, .. } = &error {
                // The refusals are reported even if this fails.
                let _ = print(done);
            }
            print_error(&error.to_string());
            error.exit_code().into()
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn print_error(message: &str) -> ExitCode {
    // A failure to write to stderr cannot be reported anywhere.
    let _ = writeln!(io::stderr(), "error: {message}");
    ExitCode::FAILURE
}
