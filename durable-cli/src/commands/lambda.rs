//! `durable lambda`: runs functions locally.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use durable_server::lambda::{File, Function, Options, Server, ServerError, State};
use tokio::sync::mpsc;

use super::signal::shutdown;
use crate::CliError;
use crate::args::Lambda;

/// Runs functions until the process receives a signal to stop.
pub(crate) async fn run(
    args: &Lambda,
    print: &mut dyn FnMut(&str) -> bool,
) -> Result<(), CliError> {
    let (lines, mut output) = mpsc::unbounded_channel();
    let mut options = options(args)?;
    options.output = Arc::new(move |line| {
        // The receiver is gone when the server stops.
        let _ = lines.send(format!("{line}\n"));
    });
    let functions = options.functions.clone();
    let (region, key) = (options.region.clone(), options.access_key.clone());
    let server = Server::start(options).await.map_err(failed)?;
    let stop = shutdown();
    print(&greeting(
        args,
        &server.url(),
        &region,
        key.is_some(),
        &functions,
    ));
    #[cfg(feature = "serve")]
    if let Some(page) = server.page() {
        print(&format!("Page: {page}\n"));
    }
    tokio::pin!(stop);
    loop {
        tokio::select! {
            line = output.recv() => match line {
                Some(line) if print(&line) => {}
                _ => return Ok(()),
            },
            () = &mut stop => return Ok(()),
        }
    }
}

type Functions = std::collections::BTreeMap<String, Function>;

fn options(args: &Lambda) -> Result<Options, CliError> {
    let mut options = Options::default();
    match &args.config {
        Some(path) => {
            let file = File::read(path);
            let file = file.map_err(|error| CliError::Lambda(error.to_string()))?;
            options.functions = file.functions;
            options.quotas = file.quotas;
            options.region = file.region.unwrap_or(options.region);
        }
        None => {
            let name = args
                .name
                .clone()
                .unwrap_or_else(|| function_name(&args.command));
            options.functions.insert(name, function(args));
        }
    }
    if let Some(listen) = args.listen {
        options.listen = listen;
    }
    if let Some(region) = &args.region {
        options.region.clone_from(region);
    }
    options.access_key.clone_from(&args.access_key);
    options.secret_key.clone_from(&args.secret_key);
    options.state = match args.ephemeral {
        true => State::Ephemeral,
        false => State::File(args.state.clone()),
    };
    options.time_scale = args.time_scale;
    options.request_timeout = Duration::from_secs(args.request_timeout.into());
    options.function_logs.clone_from(&args.function_logs);
    options.launcher = launcher();
    Ok(options)
}

fn function(args: &Lambda) -> Function {
    let mut function = Function::new(args.command.clone());
    function.env = args.env.iter().cloned().collect();
    function.timeout = args.timeout.unwrap_or(function.timeout);
    function.execution_timeout = args.execution_timeout.unwrap_or(function.execution_timeout);
    function.durable = !args.plain;
    function
}

/// Derives the name of a function from the file name of its program, replacing invalid characters.
fn function_name(command: &[String]) -> String {
    let program = command.first().map_or("", String::as_str);
    let stem = Path::new(program).file_stem().unwrap_or_default();
    let is_valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name = stem.to_string_lossy();
    name.chars()
        .map(|c| if is_valid(c) { c } else { '-' })
        .collect()
}

/// Returns the command that starts functions, so that they end with this process even if it is killed.
fn launcher() -> Vec<String> {
    let own = std::env::current_exe().ok();
    let Some(own) = own.filter(|_| cfg!(target_os = "linux")) else {
        return Vec::new();
    };
    let parent = std::process::id().to_string();
    let own = own.to_string_lossy().into_owned();
    [&own, "sandbox", "--parent", &parent, "--"]
        .map(str::to_owned)
        .into()
}

/// Formats the lines that are printed once the server runs.
fn greeting(args: &Lambda, url: &str, region: &str, signed: bool, functions: &Functions) -> String {
    let state = match args.ephemeral {
        true => "in memory".to_owned(),
        false => format!("in {}", args.state.display()),
    };
    let mut text = format!("Lambda in {region} at {url}, state {state}\n");
    for (name, function) in functions {
        text += &format!("  {name}: {}\n", function.command.join(" "));
    }
    let Some((name, function)) = functions.iter().next() else {
        return text;
    };
    let qualifier = match function.durable {
        true => ":$LATEST",
        false => "",
    };
    let key = match signed {
        true => "…",
        false => "local",
    };
    text += &format!(
        "Try:\n  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={region} \
         AWS_ENDPOINT_URL_LAMBDA={url}\n  \
         aws lambda invoke --function-name '{name}{qualifier}' --payload '{{}}' /dev/stdout\n\
         (version 2 of the CLI also needs --cli-binary-format raw-in-base64-out)\n"
    );
    text
}

fn failed(error: ServerError) -> CliError {
    match error {
        ServerError::Options(error) => CliError::Usage(error.to_string()),
        error => CliError::Lambda(error.to_string()),
    }
}
