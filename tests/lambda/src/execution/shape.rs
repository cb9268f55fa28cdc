//! What the API's model says of single values, before anything is looked up.

use crate::wire::{CheckpointRequest, Kind, Refusal, Update};

/// The longest wait and retry delay, in seconds.
const LONGEST: i64 = 31_622_400;
/// The most that a step or a context may hold.
pub(crate) const LARGEST_VALUE: usize = 262_144;
/// The most that may be handed to or got from another function, and what an execution that was
/// started asynchronously may end with.
pub(crate) const LARGEST_CHAINED: usize = 1_048_576;
/// The most that any payload may be.
const LARGEST_PAYLOAD: usize = 6_291_456;
/// The most that the JSON of an error may be.
const LARGEST_ERROR: usize = 32_768;

pub(crate) fn check(request: &CheckpointRequest) -> Result<(), Refusal> {
    length("checkpointToken", &request.checkpoint_token, 1, 2048)?;
    if let Some(token) = &request.client_token {
        length("clientToken", token, 1, 64)?;
        let printable = token.bytes().all(|byte| byte.is_ascii_graphic());
        matching(printable, "clientToken", token, "[\\x21-\\x7E]+")?;
    }
    for (index, update) in request.updates.iter().enumerate() {
        let path = |member: &str| format!("updates.{}.member.{member}", index + 1);
        words(update, path)?;
        numbers(update, path)?;
    }
    Ok(())
}

fn words(update: &Update, path: impl Fn(&str) -> String) -> Result<(), Refusal> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let ids = [
        ("id", Some(&update.id)),
        ("parentId", update.parent_id.as_ref()),
    ];
    for (member, id) in ids {
        let Some(id) = id else { continue };
        length(&path(member), id, 1, 64)?;
        matching(id.bytes().all(word), &path(member), id, "[a-zA-Z0-9-_]+")?;
    }
    if let Some(name) = &update.name {
        length(&path("name"), name, 1, 256)?;
        let printable = name.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
        matching(printable, &path("name"), name, "[\\x20-\\x7E]+")?;
    }
    if let Some(sub_type) = &update.sub_type {
        length(&path("subType"), sub_type, 1, 32)?;
        let fits = sub_type.bytes().all(word);
        matching(fits, &path("subType"), sub_type, "[a-zA-Z0-9-_]+")?;
    }
    let payload = update.payload.as_deref().unwrap_or_default();
    if payload.len() > LARGEST_PAYLOAD {
        length(&path("payload"), payload, 0, LARGEST_PAYLOAD)?;
    }
    Ok(())
}

fn numbers(update: &Update, path: impl Fn(&str) -> String) -> Result<(), Refusal> {
    let wait = update.wait_options.as_ref().and_then(|o| o.wait_seconds);
    let retry = update.step_options.as_ref();
    let retry = retry.and_then(|o| o.next_attempt_delay_seconds);
    let callback = update.callback_options.clone().unwrap_or_default();
    let (timeout, heartbeat) = (callback.timeout_seconds, callback.heartbeat_timeout_seconds);
    for (member, seconds, least, most) in [
        ("waitOptions.waitSeconds", wait, 1, LONGEST),
        ("stepOptions.nextAttemptDelaySeconds", retry, 1, LONGEST),
        ("callbackOptions.timeoutSeconds", timeout, 0, 99_999_999),
        (
            "callbackOptions.heartbeatTimeoutSeconds",
            heartbeat,
            0,
            99_999_999,
        ),
    ] {
        let Some(seconds) = seconds else { continue };
        let wrong = if seconds < least {
            format!("greater than or equal to {least}")
        } else if seconds > most {
            format!("less than or equal to {most}")
        } else {
            continue;
        };
        let constraint = format!("Member must have value {wrong}");
        return Err(breach(&path(member), &seconds.to_string(), &constraint));
    }
    Ok(())
}

fn length(path: &str, value: &str, least: usize, most: usize) -> Result<(), Refusal> {
    if (least..=most).contains(&value.len()) {
        return Ok(());
    }
    let constraint = format!("Member must have length between {least} and {most}");
    Err(breach(path, value, &constraint))
}

fn matching(fits: bool, path: &str, value: &str, pattern: &str) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    let constraint = format!("Member must satisfy regular expression pattern: {pattern}");
    Err(breach(path, value, &constraint))
}

fn breach(path: &str, value: &str, constraint: &str) -> Refusal {
    let value: String = value.chars().take(80).collect();
    Refusal::new(
        400,
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
        ),
    )
}

/// Whether the payload and the error of an update are small enough for its type.
pub(crate) fn check_size(update: &Update, asynchronous: bool) -> Result<(), Refusal> {
    let size = update.payload.as_ref().map_or(0, String::len);
    let (what, most) = match update.kind {
        Kind::Step => ("STEP output", LARGEST_VALUE),
        Kind::Context => ("CONTEXT output", LARGEST_VALUE),
        Kind::ChainedInvoke => ("CHAINED_INVOKE input", LARGEST_CHAINED),
        Kind::Execution if asynchronous => ("Execution output", LARGEST_CHAINED),
        _ => ("Execution output", LARGEST_PAYLOAD),
    };
    if size > most {
        let message = format!("{what} payload size must be less than or equal to {most} bytes.");
        return Err(Refusal::invalid(message));
    }
    match &update.error {
        Some(error) if error.size() > LARGEST_ERROR => Err(Refusal::invalid(format!(
            "Error object size must be less than or equal to {LARGEST_ERROR} bytes."
        ))),
        _ => Ok(()),
    }
}
