//! What tells builds of a handler apart, as far as histories are concerned.

use sha2::{Digest, Sha256};

use crate::site::Manifest;

/// Differs between builds that may fit different histories: by version, by names and by call
/// sites with their earlier names. `named` is what the user calls the build.
pub(super) fn of(manifest: &Manifest, named: &str) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    add(named);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;
    use crate::site::Site;

    static PLAIN: [Site; 1] = [Site::new(Kind::Step, "load", "a.rs", 1)];
    static MOVED: [Site; 1] = [Site::new(Kind::Step, "load", "b.rs", 9)];
    static RENAMED: [Site; 1] = [Site::new(Kind::Step, "load", "a.rs", 1).was(&["fetch"])];

    fn manifest(version: Option<&'static str>, sites: &'static [Site]) -> Manifest {
        Manifest::new("etl", version, &[], sites)
    }

    #[test]
    fn what_may_fit_another_history_is_another_build() {
        let plain = of(&manifest(None, &PLAIN), "");
        assert_eq!(plain, of(&manifest(None, &MOVED), ""));
        assert_ne!(plain, of(&manifest(None, &RENAMED), ""));
        assert_ne!(plain, of(&manifest(Some("2"), &PLAIN), ""));
        assert_ne!(plain, of(&manifest(None, &PLAIN), "2026-11"));
    }
}
