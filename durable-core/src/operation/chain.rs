//! `continue_as!`: the execution goes on with a fresh history.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Json};
use crate::context::Context;
use crate::engine::Stop;
use crate::error::{ErrorKind, OperationError};
use crate::record::Payload;
use crate::site::Durable;
use crate::store::NewExecution;

/// Ends this execution and starts the next of its chain with `input`. Never ends.
pub async fn continue_as<H, T>(cx: &Context, input: H::Input) -> T
where
    H: Durable,
    H::Input: Serialize + DeserializeOwned + Send,
{
    let encoded = Json.encode(&input);
    drop(input);
    match next_of::<H>(cx, encoded) {
        Ok(next) => cx.halt(Stop::Continued(Box::new(next))),
        Err(error) => cx.end_execution(error),
    }
    std::future::pending().await
}

fn next_of<H: Durable>(
    cx: &Context,
    input: Result<Vec<u8>, crate::BoxError>,
) -> Result<NewExecution, OperationError> {
    let current = cx.execution();
    let failed = |message: String| {
        let operation = format!("{}/continue_as", current.handler());
        OperationError::new(operation, ErrorKind::Codec, message)
    };
    if current.handler() != H::NAME && !H::manifest().was.contains(&current.handler()) {
        return Err(failed(format!(
            "`{}` was called within an execution of `{}` and cannot end it; return to the caller \
             and continue there, or `invoke!` it as an execution of its own",
            H::NAME,
            current.handler()
        )));
    }
    let input =
        input.map_err(|error| failed(format!("the next input cannot be encoded: {error}")))?;
    let (size, most) = (input.len(), cx.limits().max_input);
    if size > most {
        let message = format!(
            "the next input of {size} bytes is over the store's limit of {most}: keep the bulk elsewhere and pass \
             where it is"
        );
        return Err(OperationError {
            kind: ErrorKind::TooLarge,
            ..failed(message)
        });
    }
    let id = current.id().as_str();
    let numbered = id.rsplit_once('~');
    // Only a number is the chain's own: other ids may hold that character too.
    let (base, number) = numbered
        .and_then(|(base, number)| Some((base, number.parse::<u64>().ok()?)))
        .unwrap_or((id, 1));
    let id = format!("{base}~{}", number + 1)
        .parse()
        .map_err(|error: crate::InvalidExecutionId| failed(error.to_string()))?;
    Ok(NewExecution::new(
        id,
        H::NAME,
        Payload::json(input),
        cx.now(),
    ))
}
