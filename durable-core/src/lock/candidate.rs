//! Search for the call site that may have replaced a missing one.

use super::LockedSite;
use super::site_index::IndexedSite;
use crate::model::near::{distance, is_near};
use crate::model::record::Kind;
use crate::model::site::Repeat;

/// Call site or record without a match in the code.
pub(super) struct MissingSite<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    /// Name path of the operation, and for each of its names whether the operation repeats.
    pub(super) path: &'a [String],
    pub(super) repeated: &'a [bool],
    /// Names of the call sites in its scope.
    pub(super) nested: Vec<&'a str>,
}

/// Call site that may have replaced a missing one.
pub(super) struct Candidate<'a> {
    pub(super) indexed: &'a IndexedSite<'a>,
    /// Whether it has the same name in another scope.
    pub(super) moved: bool,
    pub(super) was: String,
}

impl MissingSite<'_> {
    /// Returns the best candidate among `sites`, which are all new. It has the same kind, and by descending
    /// preference the same name in another scope, a similar name, or the same call sites in its scope.
    pub(super) fn best_candidate<'b>(
        &self,
        sites: impl Iterator<Item = &'b IndexedSite<'b>>,
    ) -> Option<Candidate<'b>> {
        let rank = |indexed: &IndexedSite<'_>| {
            let name = &indexed.site.name;
            let in_other_scope = parent(&indexed.path) != parent(self.path);
            if *name == self.name {
                return in_other_scope.then_some((0, 0, false));
            }
            if is_near(name, self.name) {
                return Some((1, distance(name, self.name), in_other_scope));
            }
            self.has_nested_sites_of(indexed.site)
                .then_some((2, 0, in_other_scope))
        };
        let alike = sites.filter(|indexed| indexed.site.kind == self.kind);
        let ranked = alike.filter_map(|indexed| Some((rank(indexed)?, indexed)));
        let (rank, indexed) = ranked.min_by_key(|(rank, _)| *rank)?;
        Some(Candidate {
            indexed,
            moved: rank.0 == 0,
            was: format!("was = {:?}", self.path_for(indexed)),
        })
    }

    fn has_nested_sites_of(&self, site: &LockedSite) -> bool {
        let nested = nested_names(site);
        let same = self.nested.iter().filter(|name| nested.contains(name));
        !self.nested.is_empty() && same.count() * 2 >= self.nested.len()
    }

    /// Formats the path that `was` needs at the new call site. Uses `[*]` for keys if the new site has as many.
    fn path_for(&self, indexed: &IndexedSite<'_>) -> String {
        if parent(&indexed.path) == parent(self.path) {
            return self.name.to_owned();
        }
        let repeated = |site: &LockedSite| site.repeat != Repeat::Once;
        let scopes = indexed
            .enclosing
            .iter()
            .filter(|site| repeated(site))
            .count();
        let keys = scopes + usize::from(repeated(indexed.site));
        let wanted = self.repeated.iter().filter(|repeated| **repeated).count();
        let key = if wanted <= keys { "[*]" } else { "[KEY]" };
        let names = self.path.iter().zip(self.repeated);
        let path = names.map(|(name, repeated)| match repeated {
            true => format!("/{name}{key}"),
            false => format!("/{name}"),
        });
        path.collect()
    }
}

/// Returns the names of the call sites in a scope. Looks through branches.
pub(super) fn nested_names(site: &LockedSite) -> Vec<&str> {
    let nested = site.sites.iter().flat_map(|site| match site.kind {
        Kind::Branch => nested_names(site),
        _ => vec![&*site.name],
    });
    nested.collect()
}

fn parent(names: &[String]) -> &[String] {
    names.split_last().map_or(&[][..], |(_, scopes)| scopes)
}
