//! Pages of the state: the invocation event and the state call.

use serde_json::{Value, json};

use crate::operation::TimeFormat;
use crate::wire::{ApiError, Kind, Status};

use super::{Execution, token};

/// Most bytes of operations in an event.
const MAX_EVENT: usize = 5 << 20;
/// Page size of a state call without `MaxItems`.
const DEFAULT_PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

impl Execution {
    /// Returns the event of a new invocation. Its token invalidates those of earlier invocations.
    pub(crate) fn event(&mut self) -> Value {
        let token = self.new_token();
        self.last_response = None;
        self.token_withheld = false;
        let changed = self.changed.range(self.acknowledged + 1..);
        let updated: Vec<&str> = changed.map(|(_, at)| &*self.operations[*at].id).collect();
        let updated = json!(updated);
        self.seen = self.changes;
        self.wake_at = None;
        let visible = self.visible();
        let first = self.paging.first.unwrap_or(usize::MAX);
        let state = self.page(visible, first, TimeFormat::Millis);
        json!({
            "DurableExecutionArn": self.arn,
            "CheckpointToken": token,
            "InitialExecutionState": state,
            "UpdatedOperationIds": updated,
        })
    }

    /// Returns the operations that replay may need: all but those inside closed contexts without `ReplayChildren`.
    fn visible(&self) -> Vec<usize> {
        let mut hidden = vec![false; self.operations.len()];
        for at in 0..self.operations.len() {
            let parent = self.operations[at].parent_id.as_ref();
            let Some(parent) = parent.and_then(|parent| self.index.get(parent)) else {
                continue;
            };
            let context = &self.operations[*parent];
            hidden[at] = hidden[*parent] || context.status.is_closed() && !context.replay_children;
        }
        (0..hidden.len()).filter(|at| !hidden[*at]).collect()
    }

    /// Returns a page of operations and a marker for the rest.
    pub(crate) fn page(&mut self, mut all: Vec<usize>, size: usize, format: TimeFormat) -> Value {
        let mut bytes = 0;
        let mut operations = Vec::new();
        for at in all.iter().take(size) {
            let operation = self.operations[*at].to_json(format, self.clock_skew);
            bytes += operation.to_string().len();
            // An event may be too small for a single operation. A state call returns at least one to make progress.
            if bytes > MAX_EVENT && (format == TimeFormat::Millis || !operations.is_empty()) {
                break;
            }
            operations.push(operation);
        }
        let rest = all.split_off(operations.len());
        let marker = if rest.is_empty() {
            String::new()
        } else {
            self.pages.push(rest);
            token::of_page(&self.id, self.pages.len())
        };
        json!({ "Operations": operations, "NextMarker": marker })
    }

    /// Returns the page that a state call requests.
    pub(crate) fn state(
        &mut self,
        token: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Value, ApiError> {
        self.check_token(token)?;
        let size = match max_items {
            None | Some(0) => DEFAULT_PAGE,
            Some(size) if size <= MAX_PAGE => size,
            Some(size) => {
                return Err(ApiError::new(
                    400,
                    "ValidationException",
                    format!(
                        "1 validation error detected: Value '{size}' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to {MAX_PAGE}"
                    ),
                ));
            }
        };
        let rest = match marker.filter(|marker| !marker.is_empty()) {
            None => self.visible(),
            Some(marker) => {
                let pages = 1..=self.pages.len();
                let number = pages.rev().find(|n| token::of_page(&self.id, *n) == marker);
                let number = number.ok_or_else(|| ApiError::invalid("Invalid marker"))?;
                self.pages[number - 1].clone()
            }
        };
        // An empty page would never lead to the end.
        let size = self
            .paging
            .next
            .map_or(size, |forced| forced.max(1).min(size));
        Ok(self.page(rest, size, TimeFormat::Seconds))
    }

    /// Whether the operation is started and not a context.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.operation(id).is_some_and(|operation| {
            operation.status == Status::Started && operation.kind != Kind::Context
        })
    }
}
