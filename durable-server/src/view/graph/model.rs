//! Model of a graph, independent of its format.

use std::collections::HashMap;

use durable_core::lock::{LockedHandler, LockedSite, recorded_sites};
use durable_core::store::Execution;
use durable_core::{Kind, Record, Repeat, Status};

/// Graph of handlers, or of one handler with the progress of an execution.
#[derive(Debug)]
#[non_exhaustive]
pub struct Drawing {
    /// Handlers, with their call sites nested in them.
    pub handlers: Vec<Node>,
    /// Whether nodes show the state of an execution.
    pub is_overlaid: bool,
}

/// Handler or call site.
#[derive(Debug)]
#[non_exhaustive]
pub struct Node {
    /// Kind of the call site; none for a handler.
    pub kind: Option<Kind>,
    /// Name, with a suffix if it runs many times.
    pub title: String,
    /// Line below the title.
    pub note: String,
    /// State of its operations.
    pub state: State,
    /// Call sites in it.
    pub nested: Vec<Node>,
    /// Whether the nested nodes run concurrently, not one after the other.
    pub concurrent: bool,
}

/// State of a call site: the highest one of its operations, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum State {
    /// The graph shows no execution.
    Unknown,
    /// The execution has not reached it.
    Ahead,
    /// Cancelled.
    Cancelled,
    /// Succeeded.
    Succeeded,
    /// Waits for its next attempt.
    Pending,
    /// In progress.
    Started,
    /// Failed.
    Failed,
}

impl State {
    /// States of operations of an execution.
    pub const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Started,
        Self::Pending,
        Self::Failed,
        Self::Cancelled,
        Self::Ahead,
    ];

    /// Returns the word for the state.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Ahead => "ahead",
            Self::Cancelled => "cancelled",
            Self::Succeeded => "succeeded",
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Failed => "failed",
        }
    }

    /// Returns the colours of a node: fill, border and text.
    pub(super) fn colours(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Unknown => ("#ffffff", "#57606a", "#1f2328"),
            Self::Ahead => ("#f6f8fa", "#afb8c1", "#57606a"),
            Self::Cancelled => ("#eaeef2", "#6e7781", "#424a53"),
            Self::Succeeded => ("#dafbe1", "#1a7f37", "#116329"),
            Self::Pending => ("#fff1e5", "#bc4c00", "#762c00"),
            Self::Started => ("#ddf4ff", "#0969da", "#0a3069"),
            Self::Failed => ("#ffebe9", "#cf222e", "#82071e"),
        }
    }

    pub(super) fn of(record: &Record) -> Self {
        match record.status {
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Pending => Self::Pending,
            _ => Self::Started,
        }
    }
}

/// Records of each call site, by its address.
type Records<'a> = HashMap<*const LockedSite, Vec<&'a Record>>;

impl Drawing {
    /// Builds the graph of handlers.
    pub fn of(handlers: &[&LockedHandler]) -> Self {
        let nodes = handlers.iter().map(|handler| Node {
            kind: None,
            title: handler.name.clone(),
            note: format!("{} → {}", short(&handler.input), short(&handler.output)),
            state: State::Unknown,
            nested: handler
                .sites
                .iter()
                .map(|site| Node::of(site, None))
                .collect(),
            concurrent: false,
        });
        Self {
            handlers: nodes.collect(),
            is_overlaid: false,
        }
    }

    /// Builds the graph of a handler with the progress of an execution.
    pub fn of_execution(
        handler: &LockedHandler,
        execution: &Execution,
        records: &[Record],
    ) -> Self {
        let mut by_site = Records::new();
        for (site, record) in recorded_sites(handler, records) {
            by_site.entry(site).or_default().push(record);
        }
        let sites = handler.sites.iter();
        let node = Node {
            kind: None,
            title: format!("{} ({})", execution.id, handler.name),
            note: execution.status.as_str().to_owned(),
            state: State::Unknown,
            nested: sites.map(|site| Node::of(site, Some(&by_site))).collect(),
            concurrent: false,
        };
        Self {
            handlers: vec![node],
            is_overlaid: true,
        }
    }
}

impl Node {
    /// Whether the call site runs many times, told apart by a key or an index.
    pub(super) fn is_repeated(&self) -> bool {
        self.title.ends_with(']')
    }

    fn of(site: &LockedSite, records: Option<&Records<'_>>) -> Self {
        let own = records.map(|records| records.get(&std::ptr::from_ref(site)));
        let state = own.map_or(State::Unknown, |own| {
            let states = own.into_iter().flatten().map(|record| State::of(record));
            states.max().unwrap_or(State::Ahead)
        });
        let suffix = match site.repeat {
            Repeat::Once => "",
            Repeat::Keyed => "[key]",
            Repeat::Ordered => "[turn]",
        };
        let mut nested: Vec<Self> = site
            .sites
            .iter()
            .filter(|inner| inner.kind != Kind::Undo)
            .map(|inner| Self::of(inner, records))
            .collect();
        // Named branches run once each, so their names need no suffix.
        if site.kind == Kind::Parallel && site.sites.len() > 1 {
            for (branch, site) in nested.iter_mut().zip(&site.sites) {
                branch.title.clone_from(&site.name);
            }
        }
        let value_type = || site.value_type.as_deref().map(short).unwrap_or_default();
        let counts = |own: Option<&Vec<&Record>>| own.map_or_else(String::new, |own| counted(own));
        Self {
            kind: Some(site.kind),
            title: format!("{}{suffix}", site.name),
            note: own.map_or_else(value_type, counts),
            state,
            nested,
            concurrent: matches!(site.kind, Kind::Parallel | Kind::Race),
        }
    }
}

/// Counts records by status. For a single record, gives its status and number of attempts.
pub(super) fn counted(records: &[&Record]) -> String {
    if let [record] = records {
        return match record.attempt {
            0 | 1 => record.status.to_string(),
            attempts => format!("{}, {attempts} attempts", record.status),
        };
    }
    let counts = Status::ALL.into_iter().filter_map(|status| {
        let count = records
            .iter()
            .filter(|record| record.status == status)
            .count();
        (count > 0).then(|| format!("{count} {status}"))
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// Removes the module paths from the name of a type.
fn short(name: &str) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for character in name.chars() {
        if character.is_alphanumeric() || character == '_' || character == ':' {
            word.push(character);
        } else {
            text.push_str(word.rsplit("::").next().unwrap_or(&word));
            word.clear();
            text.push(character);
        }
    }
    text.push_str(word.rsplit("::").next().unwrap_or(&word));
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn module_paths_are_removed_from_types() {
        let long = "alloc::vec::Vec<(core::option::Option<app::Row>, &str)>";
        assert_eq!(super::short(long), "Vec<(Option<Row>, &str)>");
    }
}
