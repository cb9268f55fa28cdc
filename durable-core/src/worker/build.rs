//! What tells builds of a handler apart, as far as histories are concerned.

use std::fs::Metadata;
use std::time::UNIX_EPOCH;

use sha2::{Digest, Sha256};

use crate::model::site::Manifest;

/// Differs between builds that may fit different histories: by version, by names, by call sites with
/// their earlier names, and by the file of the program, since types and bodies tell builds apart too. `named` is
/// what the user calls the build.
pub(super) fn of(manifest: &Manifest, named: &str, program: &str) -> String {
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

/// Size and age of the file of this program: the same each time it is started, another one after a deploy. Empty
/// where they are not known.
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
    fn what_may_fit_another_history_is_another_build() {
        let plain = of(&manifest(None, &PLAIN), "", "1000-3");
        assert_eq!(plain, of(&manifest(None, &MOVED), "", "1000-3"));
        assert_ne!(plain, of(&manifest(None, &RENAMED), "", "1000-3"));
        assert_ne!(plain, of(&manifest(Some("2"), &PLAIN), "", "1000-3"));
        assert_ne!(plain, of(&manifest(None, &PLAIN), "2026-11", "1000-3"));
        assert_ne!(plain, of(&manifest(None, &PLAIN), "", "1000-4"));
        assert!(!program().is_empty());
        assert_eq!(program(), program());
    }
}
