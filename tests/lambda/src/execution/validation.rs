//! Validation of single values by the API's model.

use crate::wire::{ApiError, CheckpointRequest, Kind, Update};

/// Longest wait and retry delay, in seconds.
const MAX_SECONDS: i64 = 31_622_400;
/// Largest result of a step or a context, in bytes.
pub(crate) const MAX_VALUE: usize = 262_144;
/// Largest input and result of an invoked function, and largest result of an asynchronous execution, in bytes.
pub(crate) const MAX_CHAINED: usize = 1_048_576;
/// Largest payload of any kind, in bytes.
const MAX_PAYLOAD: usize = 6_291_456;
/// Largest JSON of an error, in bytes.
const MAX_ERROR: usize = 32_768;

pub(crate) fn check(request: &CheckpointRequest) -> Result<(), ApiError> {
    check_length("checkpointToken", &request.checkpoint_token, 1, 2048)?;
    if let Some(token) = &request.client_token {
        check_length("clientToken", token, 1, 64)?;
        let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
        check_pattern(printable, "clientToken", token, "[\\x21-\\x7E]+")?;
    }
    for (index, update) in request.updates.iter().enumerate() {
        let path = |member: &str| format!("updates.{}.member.{member}", index + 1);
        check_strings(update, path)?;
        check_numbers(update, path)?;
    }
    Ok(())
}

fn check_strings(update: &Update, path: impl Fn(&str) -> String) -> Result<(), ApiError> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let ids = [
        ("id", Some(&update.id)),
        ("parentId", update.parent_id.as_ref()),
    ];
    for (member, id) in ids {
        let Some(id) = id else { continue };
        check_length(&path(member), id, 1, 64)?;
        check_pattern(id.bytes().all(is_id), &path(member), id, "[a-zA-Z0-9-_]+")?;
    }
    if let Some(name) = &update.name {
        check_length(&path("name"), name, 1, 256)?;
        let printable = name.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        check_pattern(printable, &path("name"), name, "[\\x20-\\x7E]+")?;
    }
    if let Some(sub_type) = &update.sub_type {
        check_length(&path("subType"), sub_type, 1, 32)?;
        let fits = sub_type.bytes().all(is_id);
        check_pattern(fits, &path("subType"), sub_type, "[a-zA-Z0-9-_]+")?;
    }
    let payload = update.payload.as_deref().unwrap_or_default();
    if payload.len() > MAX_PAYLOAD {
        check_length(&path("payload"), payload, 0, MAX_PAYLOAD)?;
    }
    Ok(())
}

fn check_numbers(update: &Update, path: impl Fn(&str) -> String) -> Result<(), ApiError> {
    let wait = update.wait_options.as_ref().and_then(|o| o.wait_seconds);
    let retry = update.step_options.as_ref();
    let retry = retry.and_then(|o| o.next_attempt_delay_seconds);
    let callback = update.callback_options.clone().unwrap_or_default();
    let (timeout, heartbeat) = (callback.timeout_seconds, callback.heartbeat_timeout_seconds);
    for (member, seconds, min, max) in [
        ("waitOptions.waitSeconds", wait, 1, MAX_SECONDS),
        ("stepOptions.nextAttemptDelaySeconds", retry, 1, MAX_SECONDS),
        ("callbackOptions.timeoutSeconds", timeout, 0, 99_999_999),
        (
            "callbackOptions.heartbeatTimeoutSeconds",
            heartbeat,
            0,
            99_999_999,
        ),
    ] {
        let Some(seconds) = seconds else { continue };
        let bound = if seconds < min {
            format!("greater than or equal to {min}")
        } else if seconds > max {
            format!("less than or equal to {max}")
        } else {
            continue;
        };
        let constraint = format!("Member must have value {bound}");
        return Err(validation_error(
            &path(member),
            &seconds.to_string(),
            &constraint,
        ));
    }
    Ok(())
}

fn check_length(path: &str, value: &str, min: usize, max: usize) -> Result<(), ApiError> {
    if (min..=max).contains(&value.len()) {
        return Ok(());
    }
    let constraint = format!("Member must have length between {min} and {max}");
    Err(validation_error(path, value, &constraint))
}

fn check_pattern(fits: bool, path: &str, value: &str, pattern: &str) -> Result<(), ApiError> {
    if fits {
        return Ok(());
    }
    let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
    Err(validation_error(path, value, &constraint))
}

fn validation_error(path: &str, value: &str, constraint: &str) -> ApiError {
    let value: String = value.chars().take(80).collect();
    ApiError::new(
        400,
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
        ),
    )
}

/// Checks the size of an update's payload and error against the limits of its type.
pub(crate) fn check_size(update: &Update, asynchronous: bool) -> Result<(), ApiError> {
    let size = update.payload.as_ref().map_or(0, String::len);
    let (field, max) = match update.kind {
        Kind::Step => ("STEP output", MAX_VALUE),
        Kind::Context => ("CONTEXT output", MAX_VALUE),
        Kind::ChainedInvoke => ("CHAINED_INVOKE input", MAX_CHAINED),
        Kind::Execution if asynchronous => ("Execution output", MAX_CHAINED),
        _ => ("Execution output", MAX_PAYLOAD),
    };
    if size > max {
        let message = format!("{field} payload size must be less than or equal to {max} bytes.");
        return Err(ApiError::invalid(message));
    }
    match &update.error {
        Some(error) if error.size() > MAX_ERROR => Err(ApiError::invalid(format!(
            "Error object size must be less than or equal to {MAX_ERROR} bytes."
        ))),
        _ => Ok(()),
    }
}
