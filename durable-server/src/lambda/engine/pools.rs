//! Pools of the functions, and the environment of their processes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::lambda::functions::{Environment, Logs, Pool};
use crate::lambda::options::Options;
use crate::lambda::url;

pub(super) fn pools(
    options: &Options,
    address: SocketAddr,
) -> std::io::Result<BTreeMap<String, Arc<Pool>>> {
    let folder = options.function_logs.as_deref();
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)?;
    }
    let pools = options.functions.iter().map(|(name, function)| {
        let logs = Logs::new(name, Arc::clone(&options.output), folder)?;
        let environment = Environment {
            launcher: options.launcher.clone(),
            set: variables(options, name, function.memory, address),
        };
        let pool = Pool::new(name, function.clone(), environment, Arc::new(logs));
        Ok((name.clone(), Arc::new(pool)))
    });
    pools.collect()
}

/// Returns the environment variables that Lambda sets for a function.
fn variables(
    options: &Options,
    name: &str,
    memory: u32,
    address: SocketAddr,
) -> BTreeMap<String, String> {
    let (key, secret) = (options.access_key.clone(), options.secret_key.clone());
    let pairs = [
        ("AWS_ENDPOINT_URL_LAMBDA", url(address)),
        ("AWS_REGION", options.region.clone()),
        ("AWS_DEFAULT_REGION", options.region.clone()),
        (
            "AWS_ACCESS_KEY_ID",
            key.unwrap_or_else(|| "AKIDLOCAL".into()),
        ),
        (
            "AWS_SECRET_ACCESS_KEY",
            secret.unwrap_or_else(|| "local-secret".into()),
        ),
        ("AWS_SESSION_TOKEN", "local-token".into()),
        ("AWS_EC2_METADATA_DISABLED", "true".into()),
        ("AWS_LAMBDA_FUNCTION_NAME", name.into()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local/[$LATEST]0".into()),
        ("_HANDLER", "bootstrap".into()),
        ("TZ", ":UTC".into()),
    ];
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
