//! Decisions that wait until it is known which locals may hold a durable call.

use std::collections::BTreeSet;

use super::flow::{Flow, Node, Sources};
use crate::rules::Report;

/// A refusal that depends on whether its sources are durable.
pub(super) struct Verdict {
    sources: Sources,
    if_durable: bool,
    /// None where it is allowed.
    error: Option<syn::Error>,
}

impl Flow {
    /// Puts off the decision on an await, which another await around it then waits for.
    pub(super) fn judge_await(&mut self, sources: Sources, error: Option<syn::Error>) -> Sources {
        let awaits = BTreeSet::from([self.verdicts.len()]);
        self.verdicts.push(Verdict {
            sources,
            if_durable: false,
            error,
        });
        Sources {
            awaits,
            ..Sources::default()
        }
    }

    /// How many decisions have been put off.
    pub(super) fn awaits(&self) -> usize {
        self.verdicts.len()
    }

    /// Accepts every await since `first`: they are in a body that is recorded as one, as that of a step is.
    pub(super) fn forgive(&mut self, first: usize) {
        for verdict in &mut self.verdicts[first..] {
            if !verdict.if_durable {
                verdict.error = None;
            }
        }
    }

    /// Puts off the decision on something that is refused when it is given a durable call.
    pub(super) fn judge_durable(&mut self, sources: Sources, error: Option<syn::Error>) {
        self.verdicts.push(Verdict {
            sources,
            if_durable: true,
            error,
        });
    }

    /// Reports what was put off, now that every edge is known.
    pub(super) fn finish(mut self, report: &mut Report) {
        self.spread();
        let mut foreign: Vec<bool> = Vec::new();
        for verdict in self.verdicts {
            let Sources {
                durable,
                locals,
                awaits,
                ..
            } = &verdict.sources;
            let durable = *durable || locals.iter().any(|node| self.durable.contains(node));
            // What comes from a refused await is refused with it.
            let follows = awaits.iter().any(|inner| foreign[*inner]);
            foreign.push(!verdict.if_durable && (!durable || follows));
            if let Some(error) = verdict
                .error
                .filter(|_| durable == verdict.if_durable && !follows)
            {
                report.add(error);
            }
        }
    }

    fn spread(&mut self) {
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
