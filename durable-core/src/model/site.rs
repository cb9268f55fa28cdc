//! Call sites and manifests: what the attribute finds out at compile time.

use sha2::{Digest, Sha256};

use crate::model::record::Kind;

/// How often a call site runs within its scope, and what tells the runs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// It runs once.
    Once,
    /// Its turn is its identity.
    Ordered,
    /// A key of the user's tells the runs apart.
    Keyed,
}

/// One durable call site of a handler, as the attribute found it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// What it does.
    pub kind: Kind,
    /// Its name, unique in its scope.
    pub name: &'static str,
    /// Source file, as the compiler names it.
    pub file: &'static str,
    /// Line in that file.
    pub line: u32,
    /// Whether and how it runs more than once.
    pub repeat: Repeat,
    /// Index in the manifest of the `scope!` it stands in.
    pub within: Option<usize>,
    /// Whether it stands in a closure or an async block, where order is up to the scheduler.
    pub concurrent: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Names it had before, and paths to where it stood.
    pub was: &'static [&'static str],
    /// Whether a call site elsewhere says that it stood in this scope before.
    pub vacated: bool,
    /// Whether a step inside of it has an undo body, so that it is entered on every replay.
    pub undoes: bool,
}

impl Site {
    /// A site that runs once, at the top of its handler.
    pub const fn new(kind: Kind, name: &'static str, file: &'static str, line: u32) -> Self {
        Self {
            kind,
            name,
            file,
            line,
            repeat: Repeat::Once,
            within: None,
            concurrent: false,
            secret: false,
            was: &[],
            vacated: false,
            undoes: false,
        }
    }

    /// The same, told apart by a key.
    #[must_use]
    pub const fn keyed(mut self) -> Self {
        self.repeat = Repeat::Keyed;
        self
    }

    /// The same, told apart by its turn.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.repeat = Repeat::Ordered;
        self
    }

    /// The same, inside the scope with this index.
    #[must_use]
    pub const fn within(mut self, scope: usize) -> Self {
        self.within = Some(scope);
        self
    }

    /// The same, in a closure or an async block.
    #[must_use]
    pub const fn concurrent(mut self) -> Self {
        self.concurrent = true;
        self
    }

    /// The same, with a value that must never be shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same, with an undo body inside.
    #[must_use]
    pub const fn undoes(mut self) -> Self {
        self.undoes = true;
        self
    }

    /// The same, with call sites elsewhere that stood in it before.
    #[must_use]
    pub const fn vacated(mut self) -> Self {
        self.vacated = true;
        self
    }

    /// The same, with the names it had before and the paths to where it stood.
    #[must_use]
    pub const fn was(mut self, names: &'static [&'static str]) -> Self {
        self.was = names;
        self
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} `{}` ({}:{})",
            self.kind, self.name, self.file, self.line
        )
    }
}

/// Everything the attribute found out about a handler.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Name of the handler.
    pub handler: &'static str,
    /// Version the handler was given, if any.
    pub version: Option<&'static str>,
    /// Names the handler had before.
    pub was: &'static [&'static str],
    /// Every call site, in the order of the source.
    pub sites: &'static [Site],
}

impl Manifest {
    /// A manifest of these sites.
    pub const fn new(
        handler: &'static str,
        version: Option<&'static str>,
        was: &'static [&'static str],
        sites: &'static [Site],
    ) -> Self {
        Self {
            handler,
            version,
            was,
            sites,
        }
    }

    /// Whether running the handler may register undo bodies. What it calls is not known here.
    pub(crate) fn may_undo(&self) -> bool {
        self.sites
            .iter()
            .any(|site| matches!(site.kind, Kind::Undo | Kind::Call))
    }

    /// A number that changes exactly when replay compatibility may change: with names, kinds,
    /// repetition and nesting of the call sites, not with lines, files or the code between them.
    pub fn structural_hash(&self) -> u64 {
        let mut hash = Sha256::new();
        for site in self.sites {
            let repeat = match site.repeat {
                Repeat::Once => 0,
                Repeat::Ordered => 1,
                Repeat::Keyed => 2,
            };
            let within = site.within.map_or(u64::MAX, |scope| scope as u64);
            for text in [site.kind.as_str(), site.name] {
                hash.update((text.len() as u32).to_be_bytes());
                hash.update(text);
            }
            hash.update([repeat]);
            hash.update(within.to_be_bytes());
        }
        let digest = hash.finalize();
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(number)
    }
}
