//! `durable sandbox`: replaces this process with a function that is killed when the server dies.

use crate::CliError;
use crate::args::Sandbox;

#[cfg(target_os = "linux")]
pub(crate) fn run(args: &Sandbox) -> Result<String, CliError> {
    use std::os::unix::process::CommandExt;

    use rustix::process::{Signal, getppid, set_parent_process_death_signal};

    let failed = |error: std::io::Error| CliError::Lambda(error.to_string());
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| failed(error.into()))?;
    // The server may have died before the signal was set.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(args.parent) {
        return Err(CliError::Lambda("the server has ended".to_owned()));
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(CliError::Usage("no program given".to_owned()));
    };
    let error = std::process::Command::new(program).args(arguments).exec();
    Err(CliError::Lambda(format!("cannot start {program}: {error}")))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn run(_: &Sandbox) -> Result<String, CliError> {
    Err(CliError::Usage(
        "this command is only available on Linux".to_owned(),
    ))
}
