//! Identifies builds of a handler that may differ in the histories they can run.

use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::model::site::Manifest;

/// Computes the id of a build from its version, names, call sites with their earlier names, and the program
/// file. The file counts because types and bodies matter too. `named` is the name that the user gave the build.
pub(super) fn id(manifest: &Manifest, named: &str, program: &str) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(named);
    add(program);
    add(manifest.handler);
    add(manifest.version.unwrap_or_default());
    for site in manifest.sites {
        add(site.name);
        site.was.iter().for_each(|name| add(name));
        add("");
    }
    hash.update(manifest.structural_hash().to_be_bytes());
    let digest = hash.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Returns size and age of the program file. They stay the same across restarts and change with a deploy. Empty
/// if they are unknown.
pub(super) fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let age = |file: &Metadata| file.modified().ok()?.duration_since(UNIX_EPOCH).ok();
    file.map_or_else(
        |_| String::new(),
        |file| format!("{}-{:?}", file.len(), age(&file)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Kind;
    use crate::model::site::Site;

    static PLAIN: [Site; 1] = [Site::new(Kind::Step, "load", "a.rs", 1)];
    static MOVED: [Site; 1] = [Site::new(Kind::Step, "load", "b.rs", 9)];
    static RENAMED: [Site; 1] = [Site::new(Kind::Step, "load", "a.rs", 1).was(&["fetch"])];

    fn manifest(version: Option<&'static str>, sites: &'static [Site]) -> Manifest {
        Manifest::new("etl", version, &[], sites)
    }

    #[test]
    fn builds_that_may_run_other_histories_have_other_ids() {
        let plain = id(&manifest(None, &PLAIN), "", "1000-3");
        assert_eq!(plain, id(&manifest(None, &MOVED), "", "1000-3"));
        assert_ne!(plain, id(&manifest(None, &RENAMED), "", "1000-3"));
        assert_ne!(plain, id(&manifest(Some("2"), &PLAIN), "", "1000-3"));
        assert_ne!(plain, id(&manifest(None, &PLAIN), "2026-11", "1000-3"));
        assert_ne!(plain, id(&manifest(None, &PLAIN), "", "1000-4"));
        assert!(!program().is_empty());
        assert_eq!(program(), program());
    }
}
