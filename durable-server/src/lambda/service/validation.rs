//! Validation of single values by the API's model.

use super::wire::{CheckpointRequest, Kind, Refusal, Update};

/// Longest wait and retry delay, in seconds.
const MAX_SECONDS: i64 = 31_622_400;
/// Longest callback timeout, in seconds.
const LONGEST_CALLBACK: i64 = 99_999_999;
/// Largest payload in any update.
pub(crate) const MAX_PAYLOAD: usize = 6_291_456;
/// Largest result of a callback.
pub(crate) const MAX_CALLBACK: usize = 262_144;
/// Largest input and output of a chained invoke, and largest output of an asynchronous execution.
pub(crate) const MAX_CHAINED: usize = 1_048_576;
/// Largest result of a step or a context.
const MAX_VALUE: usize = 262_144;
/// Largest JSON of an error.
const MAX_ERROR: usize = 32_768;

pub(crate) fn check(request: &CheckpointRequest) -> Result<(), Refusal> {
    length("checkpointToken", &request.checkpoint_token, 1, 2048)?;
    if let Some(token) = &request.client_token {
        check_client_token(token)?;
    }
    for (index, update) in request.updates().iter().enumerate() {
        let path = |member: &str| format!("updates.{}.member.{member}", index + 1);
        words(update, path)?;
        numbers(update, path)?;
    }
    Ok(())
}

pub(crate) fn check_client_token(token: &str) -> Result<(), Refusal> {
    length("clientToken", token, 1, 64)?;
    let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
    matching(printable, "clientToken", token, "[\\x21-\\x7E]+")
}

/// Checks the name of an execution.
pub(crate) fn check_execution_name(name: &str) -> Result<(), Refusal> {
    length("durableExecutionName", name, 1, 64)?;
    let fits = name.bytes().all(is_word);
    matching(fits, "durableExecutionName", name, "[a-zA-Z0-9-_]+")
}

pub(crate) fn check_tenant(tenant: &str) -> Result<(), Refusal> {
    length("tenantId", tenant, 1, 256)?;
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
    let pattern = "[a-zA-Z0-9\\._:\\/=+\\-@ ]+";
    matching(tenant.bytes().all(legal), "tenantId", tenant, pattern)
}

pub(crate) fn check_reason(reason: &str) -> Result<(), Refusal> {
    length("reason", reason, 0, 1_024)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_".contains(&byte)
}

fn words(update: &Update, path: impl Fn(&str) -> String) -> Result<(), Refusal> {
    let ids = [
        ("id", Some(&update.id)),
        ("parentId", update.parent_id.as_ref()),
    ];
    for (member, id) in ids {
        let Some(id) = id else { continue };
        length(&path(member), id, 1, 64)?;
        matching(id.bytes().all(is_word), &path(member), id, "[a-zA-Z0-9-_]+")?;
    }
    if let Some(name) = &update.name {
        length(&path("name"), name, 1, 256)?;
        let printable = name.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        matching(printable, &path("name"), name, "[\\x20-\\x7E]+")?;
    }
    if let Some(sub_type) = &update.sub_type {
        length(&path("subType"), sub_type, 1, 32)?;
        let fits = sub_type.bytes().all(is_word);
        matching(fits, &path("subType"), sub_type, "[a-zA-Z0-9-_]+")?;
    }
    let payload = update.payload.as_deref().unwrap_or_default();
    length(&path("payload"), payload, 0, MAX_PAYLOAD)
}

fn numbers(update: &Update, path: impl Fn(&str) -> String) -> Result<(), Refusal> {
    let wait = update.wait_options.as_ref().and_then(|o| o.wait_seconds);
    let retry = update.step_options.as_ref();
    let retry = retry.and_then(|o| o.next_attempt_delay_seconds);
    let callback = update.callback_options.clone().unwrap_or_default();
    for (member, seconds, least, most) in [
        ("waitOptions.waitSeconds", wait, 1, MAX_SECONDS),
        ("stepOptions.nextAttemptDelaySeconds", retry, 1, MAX_SECONDS),
        (
            "callbackOptions.timeoutSeconds",
            callback.timeout_seconds,
            0,
            LONGEST_CALLBACK,
        ),
        (
            "callbackOptions.heartbeatTimeoutSeconds",
            callback.heartbeat_timeout_seconds,
            0,
            LONGEST_CALLBACK,
        ),
    ] {
        let Some(seconds) = seconds else { continue };
        let bound = if seconds < least {
            format!("greater than or equal to {least}")
        } else if seconds > most {
            format!("less than or equal to {most}")
        } else {
            continue;
        };
        let constraint = format!("Member must have value {bound}");
        let value = seconds.to_string();
        return Err(Refusal::validation(&path(member), &value, &constraint));
    }
    Ok(())
}

fn length(path: &str, value: &str, least: usize, most: usize) -> Result<(), Refusal> {
    if (least..=most).contains(&value.len()) {
        return Ok(());
    }
    let constraint = if value.len() < least {
        format!("Member must have length greater than or equal to {least}")
    } else {
        format!("Member must have length less than or equal to {most}")
    };
    Err(Refusal::validation(path, value, &constraint))
}

fn matching(fits: bool, path: &str, value: &str, pattern: &str) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
    Err(Refusal::validation(path, value, &constraint))
}

/// Checks the payload and the error of an update against the limits of its type.
pub(crate) fn check_size(update: &Update, asynchronous: bool) -> Result<(), Refusal> {
    let size = update.payload.as_ref().map_or(0, String::len);
    let (what, most) = match update.kind {
        Kind::Step => ("STEP output", MAX_VALUE),
        Kind::Context => ("CONTEXT output", MAX_VALUE),
        Kind::ChainedInvoke => ("CHAINED_INVOKE input", MAX_CHAINED),
        Kind::Execution if asynchronous => ("Execution output", MAX_CHAINED),
        Kind::Execution | Kind::Wait | Kind::Callback => ("Execution output", MAX_PAYLOAD),
    };
    if size > most {
        let message = format!("{what} payload size must be less than or equal to {most} bytes.");
        return Err(Refusal::invalid(message));
    }
    match &update.error {
        Some(error) if error.size() > MAX_ERROR => Err(Refusal::invalid(format!(
            "Error object size must be less than or equal to {MAX_ERROR} bytes."
        ))),
        _ => Ok(()),
    }
}
