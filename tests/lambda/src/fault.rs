//! Faults that tests inject into calls.

use std::collections::HashMap;
use std::time::Duration;

use crate::wire::ApiError;

/// Fault of a single call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection without applying the call.
    LoseRequest,
    /// Applies the call, then closes the connection without a response.
    LoseResponse,
    /// Responds with an error without applying the call.
    Reject(ApiError),
    /// Rejects every call with status 429 until this many seconds have passed since the first.
    Throttle(u64),
    /// Applies the call, but responds without a checkpoint token.
    WithholdToken,
    /// Applies the call and puts this many changed operations on the first page of the response.
    PageResponse(usize),
    /// Applies the call after a delay.
    Delay(Duration),
    /// Kills the subject before the call is applied.
    KillBefore,
    /// Kills the subject after the call is applied, before the response.
    KillAfter,
    /// Applies the call and responds with status 200 and invalid JSON.
    Garble,
}

impl Fault {
    /// Creates a rejection with status 429.
    pub fn throttled(retry_after: Option<u64>) -> Self {
        let message = "Rate exceeded";
        Self::Reject(ApiError {
            retry_after,
            ..ApiError::new(429, "TooManyRequestsException", message)
        })
    }

    /// Creates a rejection with status 500.
    pub fn internal_error() -> Self {
        Self::Reject(ApiError::new(500, "ServiceException", "An error occurred."))
    }

    /// Creates a rejection with status 403: the role does not allow the call.
    pub fn access_denied() -> Self {
        let message = "User is not authorized to perform: lambda:CheckpointDurableExecution";
        Self::Reject(ApiError::new(403, "AccessDeniedException", message))
    }

    /// Creates a rejection with status 404.
    pub fn not_found() -> Self {
        Self::Reject(ApiError::new(
            404,
            "ResourceNotFoundException",
            "Execution not found",
        ))
    }

    /// Creates a rejection with status 400 for a request that violates the API's model.
    pub fn validation_error() -> Self {
        let message =
            "1 validation error detected: Value '' at 'updates' failed to satisfy constraint";
        Self::Reject(ApiError::new(400, "ValidationException", message))
    }

    /// Creates a rejection with status 502 for an unusable encryption key.
    pub fn kms_error(code: &str) -> Self {
        let message =
            "Lambda was unable to decrypt the execution's data because KMS access was denied.";
        Self::Reject(ApiError::new(502, code, message))
    }

    /// Creates a rejection with status 400 for an execution that another invocation has taken over.
    pub fn stale_token() -> Self {
        Self::Reject(ApiError::stale_token())
    }
}

/// Pending faults by the number of the call.
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

    /// Counts a call and returns its fault.
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
