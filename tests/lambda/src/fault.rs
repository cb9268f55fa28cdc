//! What goes wrong, and at which call.

use std::collections::HashMap;
use std::time::Duration;

use crate::wire::Refusal;

/// Something that goes wrong with a single call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The call never arrives: the connection is closed.
    LoseRequest,
    /// The call has its effect, but the connection is closed without an answer.
    LoseResponse,
    /// The call is answered with an error and has no effect.
    Refuse(Refusal),
    /// Every call is refused with status 429 until this many seconds have passed since the first.
    Throttle(u64),
    /// Applied, but the answer holds no further token.
    WithholdToken,
    /// Applied; this many operations of what has changed are on the first page of the answer.
    PageAnswer(usize),
    /// Takes this long before it has its effect.
    Delay(Duration),
    /// The subject is killed before the call has its effect.
    KillBefore,
    /// The subject is killed after the call had its effect, before it is answered.
    KillAfter,
    /// Answered with status 200 and something that is no JSON; has its effect.
    Garble,
}

impl Fault {
    /// Status 429.
    pub fn throttled(retry_after: Option<u64>) -> Self {
        let message = "Rate exceeded";
        Self::Refuse(Refusal {
            retry_after,
            ..Refusal::new(429, "TooManyRequestsException", message)
        })
    }

    /// Status 500.
    pub fn broken() -> Self {
        Self::Refuse(Refusal::new(500, "ServiceException", "An error occurred."))
    }

    /// Status 403: the role lacks the action.
    pub fn denied() -> Self {
        let message = "User is not authorized to perform: lambda:CheckpointDurableExecution";
        Self::Refuse(Refusal::new(403, "AccessDeniedException", message))
    }

    /// Status 404.
    pub fn missing() -> Self {
        Self::Refuse(Refusal::new(
            404,
            "ResourceNotFoundException",
            "Execution not found",
        ))
    }

    /// Status 400 of the API's model.
    pub fn invalid() -> Self {
        let message =
            "1 validation error detected: Value '' at 'updates' failed to satisfy constraint";
        Self::Refuse(Refusal::new(400, "ValidationException", message))
    }

    /// Status 502 of an encryption key that may not be used.
    pub fn key(code: &str) -> Self {
        let message =
            "Lambda was unable to decrypt the execution's data because KMS access was denied.";
        Self::Refuse(Refusal::new(502, code, message))
    }

    /// Status 400: somebody else has gone on with the execution.
    pub fn stale_token() -> Self {
        Self::Refuse(Refusal::stale_token())
    }
}

/// Which faults are still to come, by the number of the call.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    at: HashMap<u64, Fault>,
    from: Vec<(u64, Fault)>,
    calls: u64,
}

impl Faults {
    pub(crate) fn at(&mut self, call: u64, fault: Fault) {
        self.at.insert(call, fault);
    }

    pub(crate) fn from(&mut self, call: u64, fault: Fault) {
        self.from.push((call, fault));
    }

    /// The fault of the call that arrives now.
    pub(crate) fn next(&mut self) -> Option<Fault> {
        self.calls += 1;
        let call = self.calls;
        let once = self.at.remove(&call);
        once.or_else(|| {
            self.from
                .iter()
                .find(|(from, _)| *from <= call)
                .map(|(_, fault)| fault.clone())
        })
    }
}
