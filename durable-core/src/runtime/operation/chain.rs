//! `continue_as!`: continues an execution with a fresh history.

use crate::engine::StopReason;
use crate::model::error::{ErrorKind, OperationError};
use crate::model::payload::Payload;
use crate::model::trace::TraceParent;
use crate::runtime::context::Context;
use crate::runtime::handler::Durable;
use crate::runtime::handler::HandlerInput;
use crate::store::NewExecution;

/// Ends this execution and starts the next one of its chain with `input`. Never returns.
///
/// Refused if a finished step has an undo body.
pub async fn continue_as<H, T>(cx: &Context, input: H::Input) -> T
where
    H: Durable,
{
    let encoded = input.to_json();
    drop(input);
    if let Some(report) = undoable_report(cx) {
        refuse(cx, report);
        return std::future::pending().await;
    }
    match next_of::<H>(cx, encoded) {
        Ok(next) => cx.halt(StopReason::Continued(Box::new(next))),
        Err(error) => cx.end_execution(error),
    }
    std::future::pending().await
}

/// Returns a report if finished steps have undo bodies, which would be lost.
fn undoable_report(cx: &Context) -> Option<String> {
    let steps = cx.undoable();
    if steps.is_empty() {
        return None;
    }
    let steps: Vec<String> = steps.iter().map(|step| format!("`{step}`")).collect();
    Some(format!(
        "`continue_as!` would drop the undo bodies of these steps: {steps}\n\
         An `undo` body belongs to the execution that its step ran in, and `{handler}` would continue as another one. \
         Move the steps to a function that you `invoke!`, so that they run in a separate execution, or remove `undo` \
         from steps that a later failure may keep. The execution resumes once a fixed build runs it.",
        steps = steps.join(", "),
        handler = cx.execution().handler(),
    ))
}

/// Blocks the execution. On a service, which cannot block it, fails the execution, which undoes the steps.
fn refuse(cx: &Context, report: String) {
    if !cx.limits().service_driven {
        return cx.halt(StopReason::Blocked(report));
    }
    let operation = format!("{}/continue_as", cx.execution().handler());
    cx.end_execution(OperationError::new(operation, ErrorKind::Failed, report));
}

/// Creates the next execution of the chain.
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
            "`{}` was called within an execution of `{}` and cannot end it: return to the caller \
             and continue there, or `invoke!` it as a separate execution",
            H::NAME,
            current.handler()
        )));
    }
    let input =
        input.map_err(|error| failed(format!("the next input cannot be encoded: {error}")))?;
    let (size, max) = (input.len(), cx.limits().max_input);
    if size > max {
        let message = format!(
            "the next input of {size} bytes is over the store's limit of {max}: store large data elsewhere and pass \
             where it is"
        );
        return Err(OperationError {
            kind: ErrorKind::TooLarge,
            ..failed(message)
        });
    }
    let id = current.id().as_str();
    let numbered = id.rsplit_once('~');
    // Only a number is the suffix of a chain. Other ids may contain the character, too.
    let (base, number) = numbered
        .and_then(|(base, number)| Some((base, number.parse::<u64>().ok()?)))
        .unwrap_or((id, 1));
    let id = format!("{base}~{}", number + 1)
        .parse()
        .map_err(|error: crate::InvalidExecutionId| failed(error.to_string()))?;
    let input_type = std::any::type_name::<H::Input>();
    let mut next = NewExecution::new(id, H::NAME, Payload::json(input), cx.now());
    next.trace = TraceParent::of(cx.span());
    next.labels = current.labels().clone();
    Ok(next.with_input_type(input_type))
}
