//! Pages of operations, in the event of an invocation and in `GetDurableExecutionState`.

use super::execution::Execution;
use super::operation::Times;
use super::token::Marker;
use super::wire::Refusal;

/// Default number of items on a page.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1_000;

/// Parses the parameter `MaxItems`.
pub(crate) fn page_size(max_items: Option<&str>) -> Result<usize, Refusal> {
    let bound = |max_items: &str, bound: &str| {
        let constraint = format!("Member must have value {bound}");
        Err(Refusal::validation("maxItems", max_items, &constraint))
    };
    let Some(max_items) = max_items else {
        return Ok(PAGE);
    };
    match max_items.parse::<i64>() {
        Ok(0) => Ok(PAGE),
        Ok(most) if most < 0 => bound(max_items, "greater than or equal to 0"),
        Ok(most) if most > MAX_PAGE as i64 => {
            bound(max_items, &format!("less than or equal to {MAX_PAGE}"))
        }
        Ok(most) => Ok(most as usize),
        Err(_) => bound(max_items, "of type integer"),
    }
}

impl Execution {
    /// Returns the positions of operations changed after `since`, in the order of their start.
    pub(super) fn changed_since(&self, since: u64) -> Vec<usize> {
        let changed = self.changed.range(since + 1..);
        let mut changed: Vec<usize> = changed.map(|(_, at)| *at).collect();
        changed.sort_unstable();
        changed
    }

    /// Returns the positions of operations that a replay may need: none inside a closed context,
    /// unless the context replays its children.
    pub(super) fn visible(&self) -> Vec<usize> {
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

    /// Formats a page of operations, with a marker if some do not fit.
    pub(super) fn page(&self, all: &[usize], most: usize, since: u64, times: Times) -> String {
        let mut page = String::from("{\"Operations\":[");
        let (mut bytes, mut count) = (0, 0);
        for at in all.iter().take(most) {
            let operation = self.operations[*at].to_json(times);
            bytes += operation.len();
            // An event may be too small for any operation, but a page of the state has to make progress.
            let must = times == Times::Seconds && count == 0;
            if bytes > self.limits.page_bytes && !must {
                break;
            }
            if count > 0 {
                page.push(',');
            }
            page.push_str(&operation);
            count += 1;
        }
        let marker = all.get(count).map(|from| Marker { since, from: *from });
        let marker = marker.map(|marker| marker.write(&self.head.id));
        page.push_str("],\"NextMarker\":\"");
        page.push_str(&marker.unwrap_or_default());
        page.push_str("\"}");
        page
    }

    /// Builds the response of `GetDurableExecutionState`.
    pub(crate) fn state(
        &self,
        presented: &str,
        marker: Option<&str>,
        most: usize,
    ) -> Result<String, Refusal> {
        self.check_token(presented)?;
        let marker = match marker.filter(|marker| !marker.is_empty()) {
            None => Marker { since: 0, from: 0 },
            Some(text) => Marker::read(text, &self.head.id)
                .ok_or_else(|| Refusal::invalid("Invalid marker"))?,
        };
        let all = match marker.since {
            0 => self.visible(),
            since => self.changed_since(since),
        };
        let first = all.partition_point(|at| *at < marker.from);
        Ok(self.page(&all[first..], most, marker.since, Times::Seconds))
    }
}
