//! What would become of an execution in flight if the code of a lock took it over.

use std::collections::HashMap;
use std::fmt;

use super::compare::was;
use super::{Lock, LockedSite};
use crate::record::{Kind, Record, Status};
use crate::site::Repeat;
use crate::store::Execution;
use crate::{Occurrence, OperationId};

/// What becomes of an execution, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It goes on: everything it has recorded is found.
    Safe,
    /// Records are never asked for again: what they stand for is not done by the new code.
    Orphaned,
    /// A step runs that most likely is recorded under another name.
    Reruns,
    /// A recorded value, input or state most likely cannot be read: then the execution stops, until a fitting build
    /// runs it.
    Undecodable,
    /// The execution stops, until a fitting build runs it.
    Blocked,
}

impl Verdict {
    /// Every verdict there is, the best first.
    pub const ALL: [Self; 5] = [
        Self::Safe,
        Self::Orphaned,
        Self::Reruns,
        Self::Undecodable,
        Self::Blocked,
    ];

    /// The word that commands use. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Orphaned => "orphaned",
            Self::Reruns => "reruns",
            Self::Undecodable => "undecodable",
            Self::Blocked => "blocked",
        }
    }
}

/// Something that an execution in flight would come upon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What follows from it.
    pub verdict: Verdict,
    /// The operation as histories write it, with its scopes; the handler where it is about all of it.
    pub operation: String,
    /// What there is to say about it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Compares what an execution has recorded with the names in `lock`. Without findings it is safe.
///
/// What stands in a scope that has ended is not asked for again, and not looked at; nor is what stands in a
/// `call!` of which no function is known here.
pub fn check(lock: &Lock, execution: &Execution, records: &[Record]) -> Vec<Finding> {
    let Some(handler) = lock.handler(&execution.handler) else {
        let name = &execution.handler;
        return vec![Finding {
            verdict: Verdict::Blocked,
            operation: name.clone(),
            text: format!("no code runs `{name}`: the lock has no handler of that name"),
        }];
    };
    let mut inside: HashMap<OperationId, Vec<&Record>> = HashMap::new();
    for record in records {
        inside.entry(record.parent).or_default().push(record);
    }
    let mut look = Look {
        lock,
        inside,
        found: Vec::new(),
    };
    let recorded = execution.input_type.as_deref();
    look.types(
        &handler.name,
        "the input of ",
        recorded,
        Some(&handler.input),
    );
    look.scope("", OperationId::ROOT, &visible(&handler.sites, false));
    look.found
}

struct Look<'a> {
    lock: &'a Lock,
    inside: HashMap<OperationId, Vec<&'a Record>>,
    found: Vec<Finding>,
}

impl<'a> Look<'a> {
    fn scope(&mut self, path: &str, scope: OperationId, sites: &[&'a LockedSite]) {
        let records = self.inside.remove(&scope).unwrap_or_default();
        let unknown: Vec<&Record> = records
            .iter()
            .copied()
            .filter(|record| site_of(record, sites).is_none())
            .collect();
        self.orphans(path, &unknown, &records, sites);
        for record in records {
            let path = format!("{path}{}", record.written());
            if let Some(site) = site_of(record, sites) {
                self.operation(&path, record, site);
            }
        }
    }

    /// Records that no call site asks for, and what would run in their place.
    fn orphans(
        &mut self,
        path: &str,
        unknown: &[&Record],
        records: &[&Record],
        sites: &[&LockedSite],
    ) {
        let idle = |site: &&&LockedSite| !records.iter().any(|record| answers(record, site));
        for record in unknown {
            let written = record.written();
            if record.status == Status::Cancelled {
                continue;
            }
            let mut candidates = sites.iter().filter(idle);
            let renamed = candidates.find(|site| site.kind == record.kind);
            let kind = record.kind;
            self.found.push(match renamed {
                Some(site) => Finding {
                    verdict: Verdict::Reruns,
                    operation: format!("{path}{written}"),
                    text: format!(
                        "will re-run {kind} `{path}{}`, if that is the new name of `{path}{written}`, which is recorded: \
                         then write `was = \"{}\"`",
                        site.name, record.name
                    ),
                },
                None => Finding {
                    verdict: Verdict::Orphaned,
                    operation: format!("{path}{written}"),
                    text: format!("{kind} `{path}{written}` is recorded, and nothing asks for it any more"),
                },
            });
        }
    }

    /// Compares the types of a `part` of what is recorded, as far as both are known.
    fn types(&mut self, path: &str, part: &str, then: Option<&str>, now: Option<&str>) {
        if let (Some(then), Some(now)) = (then, now)
            && then != now
        {
            self.found.push(Finding {
                verdict: Verdict::Undecodable,
                operation: path.to_owned(),
                text: format!(
                    "cannot decode {part}`{path}`: recorded as `{then}`, the code now wants `{now}`"
                ),
            });
        }
    }

    fn operation(&mut self, path: &str, record: &'a Record, site: &'a LockedSite) {
        if record.kind != site.kind {
            let (then, now) = (record.kind, site.kind);
            self.found.push(Finding {
                verdict: Verdict::Blocked,
                operation: path.to_owned(),
                text: format!("blocks at `{path}`: recorded as a {then}, the code has a {now}"),
            });
            return;
        }
        let (value, state) = (record.value_type.as_deref(), record.state_type.as_deref());
        match record.status {
            Status::Succeeded => self.types(path, "", value, site.value_type.as_deref()),
            // Only a check that is still to come reads it.
            Status::Started | Status::Pending if record.payload.is_some() => {
                self.types(path, "the state of ", state, site.state_type.as_deref());
            }
            _ => {}
        }
        // A scope that has ended answers by itself, but for what may be taken back in it.
        if !record.kind.is_scope() || record.status.is_terminal() {
            return;
        }
        let lock = self.lock;
        let sites = match record.kind {
            Kind::Call => match callee(lock, record) {
                Some(sites) => visible(sites, false),
                None => return,
            },
            kind => visible(&site.sites, matches!(kind, Kind::Map | Kind::Parallel)),
        };
        self.scope(&format!("{path}/"), record.id, &sites);
    }
}

/// The call sites of the function that a `call!` runs: by what is recorded of it, else by its name.
fn callee<'a>(lock: &'a Lock, record: &Record) -> Option<&'a [LockedSite]> {
    let name = record.handle.as_deref().unwrap_or(&record.name);
    Some(&lock.handler(name)?.sites)
}

/// The call sites that may have records directly in a scope: what stands in a branch has, where the whole
/// is flat.
pub(super) fn visible(sites: &[LockedSite], branches: bool) -> Vec<&LockedSite> {
    let inside = sites
        .iter()
        .filter(|site| branches && site.kind == Kind::Branch);
    sites
        .iter()
        .chain(inside.flat_map(|site| &site.sites))
        .collect()
}

fn site_of<'a>(record: &Record, sites: &[&'a LockedSite]) -> Option<&'a LockedSite> {
    sites.iter().copied().find(|site| answers(record, site))
}

/// Whether the site asks for this record.
pub(super) fn answers(record: &Record, site: &LockedSite) -> bool {
    let renamed = was(site, &record.name);
    if site.name != record.name {
        return renamed;
    }
    let fits = matches!(
        (&record.occurrence, site.repeat),
        (Occurrence::Once, Repeat::Once)
            | (Occurrence::Ordered(_), Repeat::Ordered)
            | (Occurrence::Keyed(_), Repeat::Keyed)
    );
    fits || renamed
}
