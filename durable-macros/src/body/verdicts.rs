//! Verdicts that are deferred until it is known which locals may contain a durable call.

use super::flow::{Flow, Node, Sources};
use crate::rules::Report;

/// Deferred decision whether to refuse code. It depends on whether the code's sources include a durable call.
pub(super) struct Verdict {
    sources: Sources,
    /// Whether the code is refused if its sources include a durable call, or if they do not.
    if_durable: bool,
    /// `None` if the code is allowed.
    error: Option<syn::Error>,
}

impl Flow {
    /// Registers an await, which is refused unless its operand may be a durable call. Returns the number of the await.
    pub(super) fn judge_await(&mut self, sources: Sources, error: Option<syn::Error>) -> usize {
        self.verdicts.push(Verdict {
            sources,
            if_durable: false,
            error,
        });
        self.verdicts.len() - 1
    }

    /// Number of verdicts so far.
    pub(super) fn verdict_count(&self) -> usize {
        self.verdicts.len()
    }

    /// Accepts every await since number `first`, because its outcome is recorded as part of an enclosing body.
    pub(super) fn accept_awaits_since(&mut self, first: usize) {
        for verdict in &mut self.verdicts[first..] {
            if !verdict.if_durable {
                verdict.error = None;
            }
        }
    }

    /// Registers code that is refused if its arguments may include a durable call.
    pub(super) fn judge_durable(&mut self, sources: Sources, error: Option<syn::Error>) {
        self.verdicts.push(Verdict {
            sources,
            if_durable: true,
            error,
        });
    }

    /// Decides and reports. By now every edge of the graph is known.
    pub(super) fn report(mut self, report: &mut Report) {
        self.propagate();
        let mut foreign: Vec<bool> = Vec::new();
        for (number, verdict) in self.verdicts.into_iter().enumerate() {
            let Sources {
                durable,
                locals,
                awaits,
                ..
            } = &verdict.sources;
            let durable = *durable || locals.iter().any(|node| self.durable.contains(node));
            // An await of a value from a refused await belongs to the same mistake.
            let follows = awaits.iter().any(|inner| foreign[*inner]);
            foreign.push(!verdict.if_durable && (!durable || follows));
            if let Some(error) = verdict
                .error
                .filter(|_| durable == verdict.if_durable && !follows)
            {
                if verdict.if_durable {
                    report.add(error);
                } else {
                    report.replace_await(number, error);
                }
            }
        }
    }

    fn propagate(&mut self) {
        let mut left: Vec<Node> = self.durable.iter().copied().collect();
        while let Some(node) = left.pop() {
            for next in self.edges.get(&node).into_iter().flatten() {
                if self.durable.insert(*next) {
                    left.push(*next);
                }
            }
        }
    }
}
