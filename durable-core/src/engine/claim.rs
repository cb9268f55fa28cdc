//! A call site takes its place in the history.

use std::borrow::Cow;

use super::order::ScopeIndex;
use super::{Engine, IdMap, Slot, Stop, mismatch};
use crate::record::Record;
use crate::site::{Repeat, Site};
use crate::{Occurrence, OperationId};

/// What tells this run of a call site apart, as far as the caller knows.
#[derive(Debug)]
pub(crate) enum Turn {
    /// The site says it all: once, or the next turn.
    OfSite,
    /// The user's key.
    Key(String),
}

impl Engine {
    /// The operation that `site` stands for in this scope, claimed for this invocation.
    ///
    /// A claim that cannot be right (another kind is recorded, or the identity was claimed before)
    /// stops the invocation; the id is answered all the same, and decides to [`Stopped`].
    ///
    /// [`Stopped`]: super::Decision::Stopped
    pub(crate) fn claim(
        &mut self,
        scope: ScopeIndex,
        site: &'static Site,
        turn: Turn,
    ) -> OperationId {
        let parent = self.scope(scope).id;
        let occurrence = match (turn, site.repeat) {
            (Turn::Key(key), _) => Occurrence::Keyed(key),
            (Turn::OfSite, Repeat::Ordered) => {
                Occurrence::Ordered(self.scope(scope).take_turn(site))
            }
            (Turn::OfSite, _) => Occurrence::Once,
        };
        let id = OperationId::of(parent, site.name, &occurrence);
        let id = if site.was.is_empty() || self.slots.contains_key(&id) {
            id
        } else {
            earlier_name(&self.slots, parent, site, &occurrence).unwrap_or(id)
        };
        match self.slots.get_mut(&id) {
            Some(slot) => {
                if let Some(report) = mismatch::check(slot, site) {
                    self.halt(Stop::Blocked(report));
                    return id;
                }
                slot.site = Some(site);
                let order = slot.record.order;
                self.notice_order(scope, site, id, order);
            }
            None => {
                let order = self.place_live(scope);
                self.slots
                    .insert(id, Slot::live(id, parent, site, occurrence, order));
            }
        }
        id
    }

    /// How this run is to be written in histories; kept from the first time on.
    pub(crate) fn label(&mut self, id: OperationId, label: impl FnOnce() -> String) {
        if let Some(slot) = self.slots.get_mut(&id)
            && slot.record.seq == 0
        {
            slot.record.label = Some(label());
        }
    }
}

/// The record that an earlier name of `site` left behind, unless something else has claimed it.
fn earlier_name(
    slots: &IdMap<Slot>,
    parent: OperationId,
    site: &'static Site,
    occurrence: &Occurrence,
) -> Option<OperationId> {
    site.was.iter().find_map(|old| {
        let candidates = former(old, site, occurrence);
        candidates
            .into_iter()
            .map(|(name, occurrence)| OperationId::of(parent, name, &occurrence))
            .find(|id| slots.get(id).is_some_and(|slot| slot.site.is_none()))
    })
}

/// What `was = "old"` may stand for: the same run under the old name, the run `old[key]` of a site
/// that was in a loop, or the only run of a site that was not.
fn former<'a>(old: &'a str, site: &Site, occurrence: &Occurrence) -> Vec<(&'a str, Occurrence)> {
    if let Some((name, key)) = old.strip_suffix(']').and_then(|rest| rest.split_once('[')) {
        let turn = key.parse().ok().map(Occurrence::Ordered);
        let keyed = Occurrence::Keyed(key.to_owned());
        return turn
            .into_iter()
            .chain([keyed])
            .map(|run| (name, run))
            .collect();
    }
    let mut runs = vec![(old, occurrence.clone())];
    let first = matches!(occurrence, Occurrence::Ordered(0) | Occurrence::Keyed(_));
    if site.repeat != Repeat::Once && first {
        runs.push((old, Occurrence::Once));
    }
    runs
}

impl Slot {
    fn live(
        id: OperationId,
        parent: OperationId,
        site: &'static Site,
        occurrence: Occurrence,
        order: u64,
    ) -> Self {
        let mut record = Record::started(
            0,
            id,
            parent,
            site.kind,
            site.name,
            occurrence,
            Default::default(),
        );
        record.order = order;
        record.secret = site.secret;
        record.source = Cow::Borrowed("");
        Self {
            record,
            site: Some(site),
            recorded: false,
            begun: false,
            entered: false,
            queued: false,
            written: false,
        }
    }
}
