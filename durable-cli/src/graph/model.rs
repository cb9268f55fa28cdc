//! What is drawn, whatever it is drawn with.

use std::collections::HashMap;

use durable_core::lock::{LockedHandler, LockedSite, places};
use durable_core::store::Execution;
use durable_core::{Kind, Record, Repeat, Status};

/// Some handlers, or one with the state of an execution.
pub(super) struct Drawing {
    pub(super) handlers: Vec<Node>,
    /// Whether nodes have a state.
    pub(super) is_overlaid: bool,
}

/// A handler or a call site.
pub(super) struct Node {
    pub(super) kind: Option<Kind>,
    pub(super) title: String,
    /// A line below the title.
    pub(super) note: String,
    pub(super) state: State,
    pub(super) inside: Vec<Node>,
    /// Whether what is inside runs at once, not one after the other.
    pub(super) at_once: bool,
}

/// How far an operation has come; of several, the most remarkable one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// No execution is shown.
    Unknown,
    /// Not come to.
    Ahead,
    Cancelled,
    Succeeded,
    Pending,
    Started,
    Failed,
}

impl State {
    pub(super) const ALL: [Self; 6] = [
        Self::Succeeded,
        Self::Started,
        Self::Pending,
        Self::Failed,
        Self::Cancelled,
        Self::Ahead,
    ];

    pub(super) fn word(self) -> &'static str {
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

    /// Colours of a node: inside, border and text.
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

    fn of(record: &Record) -> Self {
        match record.status {
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Pending => Self::Pending,
            _ => Self::Started,
        }
    }
}

/// The records of each call site, by where that lies.
type Records<'a> = HashMap<*const LockedSite, Vec<&'a Record>>;

impl Drawing {
    pub(super) fn of(handlers: &[&LockedHandler]) -> Self {
        let nodes = handlers.iter().map(|handler| Node {
            kind: None,
            title: handler.name.clone(),
            note: format!("{} → {}", short(&handler.input), short(&handler.output)),
            state: State::Unknown,
            inside: handler
                .sites
                .iter()
                .map(|site| Node::of(site, None))
                .collect(),
            at_once: false,
        });
        Self {
            handlers: nodes.collect(),
            is_overlaid: false,
        }
    }

    pub(super) fn of_execution(
        handler: &LockedHandler,
        execution: &Execution,
        records: &[Record],
    ) -> Self {
        let mut by_site = Records::new();
        for (site, record) in places(handler, records) {
            by_site.entry(site).or_default().push(record);
        }
        let sites = handler.sites.iter();
        let node = Node {
            kind: None,
            title: format!("{} ({})", execution.id, handler.name),
            note: execution.status.as_str().to_owned(),
            state: State::Unknown,
            inside: sites.map(|site| Node::of(site, Some(&by_site))).collect(),
            at_once: false,
        };
        Self {
            handlers: vec![node],
            is_overlaid: true,
        }
    }
}

impl Node {
    fn of(site: &LockedSite, records: Option<&Records<'_>>) -> Self {
        let own = records.map(|records| records.get(&std::ptr::from_ref(site)));
        let state = own.map_or(State::Unknown, |own| {
            let states = own.into_iter().flatten().map(|record| State::of(record));
            states.max().unwrap_or(State::Ahead)
        });
        let again = match site.repeat {
            Repeat::Once => "",
            Repeat::Keyed => "[key]",
            Repeat::Ordered => "[turn]",
        };
        let mut inside: Vec<Self> = site
            .sites
            .iter()
            .filter(|inner| inner.kind != Kind::Undo)
            .map(|inner| Self::of(inner, records))
            .collect();
        // Branches that are written out are told apart by their names: each runs once.
        if site.kind == Kind::Parallel && site.sites.len() > 1 {
            for (branch, site) in inside.iter_mut().zip(&site.sites) {
                branch.title.clone_from(&site.name);
            }
        }
        let value_type = || site.value_type.as_deref().map(short).unwrap_or_default();
        let counts = |own: Option<&Vec<&Record>>| own.map_or_else(String::new, |own| counted(own));
        Self {
            kind: Some(site.kind),
            title: format!("{}{again}", site.name),
            note: own.map_or_else(value_type, counts),
            state,
            inside,
            at_once: matches!(site.kind, Kind::Parallel | Kind::Race),
        }
    }
}

/// How many records are in which state; of a single one what is remarkable about it.
fn counted(records: &[&Record]) -> String {
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

/// A type without the modules it is in.
fn short(name: &str) -> String {
    let mut text = String::new();
    let mut word = String::new();
    for sign in name.chars() {
        if sign.is_alphanumeric() || sign == '_' || sign == ':' {
            word.push(sign);
        } else {
            text.push_str(word.rsplit("::").next().unwrap_or(&word));
            word.clear();
            text.push(sign);
        }
    }
    text.push_str(word.rsplit("::").next().unwrap_or(&word));
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_type_is_written_without_its_modules() {
        let long = "alloc::vec::Vec<(core::option::Option<app::Row>, &str)>";
        assert_eq!(super::short(long), "Vec<(Option<Row>, &str)>");
    }
}
