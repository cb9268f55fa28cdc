//! Functions that chained invokes call.

use std::sync::Arc;

use crate::execution::function_name;
use crate::state::Shared;
use crate::wire::{self, ErrorObject};

/// Implementation of a function.
#[derive(Clone)]
pub(crate) enum Function {
    /// Code that returns the outcome immediately.
    Code(Arc<dyn Fn(String) -> Result<String, ErrorObject> + Send + Sync>),
    /// The test completes invokes with [`ExecutionHandle::complete_invoke`](crate::ExecutionHandle::complete_invoke).
    Manual,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Function")
    }
}

/// Runs the function of a chained invoke if it is implemented by code.
pub(crate) fn run_function(shared: &Arc<Shared>, arn: &str, operation: &str) {
    let (function, input) = {
        let state = shared.lock();
        let invoke = state
            .executions
            .get(arn)
            .and_then(|one| one.operation(operation));
        let options = invoke.and_then(|invoke| invoke.function.clone());
        let name = options
            .and_then(|options| options.function_name)
            .unwrap_or_default();
        let input = state
            .recording
            .updates()
            .find(|update| update.id == operation);
        let input = input.and_then(|update| update.payload.clone());
        (state.functions.get(function_name(&name)).cloned(), input)
    };
    if let Some(Function::Code(code)) = function {
        let outcome = code(input.unwrap_or_else(|| "{}".into()));
        shared.change(|state| {
            let execution = state.executions.get_mut(arn);
            execution.is_some_and(|one| one.complete_invoke(operation, outcome, wire::now()))
        });
    }
}
