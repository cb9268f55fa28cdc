//! The state in pages: the event of an invocation and what it leaves out.

use serde_json::{Value, json};

use crate::operation::Times;
use crate::wire::{Kind, Refusal, Status};

use super::{Execution, token};

/// Bytes of operations that an event holds at most.
const LARGEST_EVENT: usize = 5 << 20;
/// Operations on a page when nobody says how many.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

impl Execution {
    /// What an invocation is handed. It gets a token of its own, which shuts out earlier ones.
    pub(crate) fn event(&mut self) -> Value {
        let token = self.new_token();
        self.last = None;
        self.withheld = false;
        let changed = self.changed.range(self.handed_over + 1..);
        let updated: Vec<&str> = changed.map(|(_, at)| &*self.operations[*at].id).collect();
        let updated = json!(updated);
        self.seen = self.changes;
        self.wake = None;
        let visible = self.visible();
        let first = self.paging.first.unwrap_or(usize::MAX);
        let state = self.page(visible, first, Times::Millis);
        json!({
            "DurableExecutionArn": self.arn,
            "CheckpointToken": token,
            "InitialExecutionState": state,
            "UpdatedOperationIds": updated,
        })
    }

    /// What replay may need: nothing below a closed context that does not ask for its children.
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

    /// A page of operations, and a marker for the others.
    pub(crate) fn page(&mut self, mut all: Vec<usize>, most: usize, times: Times) -> Value {
        let mut bytes = 0;
        let mut operations = Vec::new();
        for at in all.iter().take(most) {
            let operation = self.operations[*at].to_json(times, self.ahead);
            bytes += operation.to_string().len();
            // An event may have no room for even one; a page of the state has to lead on.
            if bytes > LARGEST_EVENT && (times == Times::Millis || !operations.is_empty()) {
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

    /// A page of the state, in answer to a call.
    pub(crate) fn state(
        &mut self,
        presented: &str,
        marker: Option<&str>,
        most: Option<usize>,
    ) -> Result<Value, Refusal> {
        self.check_token(presented)?;
        let most = match most {
            None | Some(0) => PAGE,
            Some(most) if most <= LARGEST_PAGE => most,
            Some(most) => {
                return Err(Refusal::new(
                    400,
                    "ValidationException",
                    format!(
                        "1 validation error detected: Value '{most}' at 'maxItems' failed to satisfy constraint: Member must have value less than or equal to {LARGEST_PAGE}"
                    ),
                ));
            }
        };
        let rest = match marker.filter(|marker| !marker.is_empty()) {
            None => self.visible(),
            Some(marker) => {
                let pages = 1..=self.pages.len();
                let number = pages.rev().find(|n| token::of_page(&self.id, *n) == marker);
                let number = number.ok_or_else(|| Refusal::invalid("Invalid marker"))?;
                self.pages[number - 1].clone()
            }
        };
        // A page of nothing would go on for ever.
        let most = self
            .paging
            .next
            .map_or(most, |forced| forced.max(1).min(most));
        Ok(self.page(rest, most, Times::Seconds))
    }

    /// Whether the operation is a callback, a chained invoke or a timer that is still open.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.operation(id).is_some_and(|operation| {
            operation.status == Status::Started && operation.kind != Kind::Context
        })
    }
}
