//! What may have taken the place of something that is gone.

use super::LockedSite;
use super::moves::Placed;
use crate::model::near::{distance, is_near};
use crate::model::record::Kind;
use crate::model::site::Repeat;

/// What is gone.
pub(super) struct Gone<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a str,
    /// Its place, and whether and how each operation on the way is one of many.
    pub(super) place: &'a [String],
    pub(super) many: &'a [bool],
    /// The names of what stands in it.
    pub(super) inside: Vec<&'a str>,
}

/// What it may be now, and what to write there.
pub(super) struct Likely<'a> {
    pub(super) placed: &'a Placed<'a>,
    /// Whether it has the same name, and so stands elsewhere.
    pub(super) moved: bool,
    pub(super) was: String,
}

impl Gone<'_> {
    /// The likeliest of `sites`, which are all new: of the same kind, with the same name elsewhere, else with nearly
    /// the same name, else with the same inside.
    pub(super) fn likely<'b>(
        &self,
        sites: impl Iterator<Item = &'b Placed<'b>>,
    ) -> Option<Likely<'b>> {
        let rank = |placed: &Placed<'_>| {
            let name = &placed.site.name;
            let elsewhere = parent(&placed.own) != parent(self.place);
            if *name == self.name {
                return elsewhere.then_some((0, 0, false));
            }
            if is_near(name, self.name) {
                return Some((1, distance(name, self.name), elsewhere));
            }
            self.has_inside_of(placed.site).then_some((2, 0, elsewhere))
        };
        let alike = sites.filter(|placed| placed.site.kind == self.kind);
        let ranked = alike.filter_map(|placed| Some((rank(placed)?, placed)));
        let (rank, placed) = ranked.min_by_key(|(rank, _)| *rank)?;
        Some(Likely {
            placed,
            moved: rank.0 == 0,
            was: format!("was = {:?}", self.path_for(placed)),
        })
    }

    fn has_inside_of(&self, site: &LockedSite) -> bool {
        let inside = named(site);
        let same = self.inside.iter().filter(|name| inside.contains(name));
        !self.inside.is_empty() && same.count() * 2 >= self.inside.len()
    }

    /// The path that leads there from the new place. Keys are those of the run, where it has as many.
    fn path_for(&self, placed: &Placed<'_>) -> String {
        if parent(&placed.own) == parent(self.place) {
            return self.name.to_owned();
        }
        let many = |site: &LockedSite| site.repeat != Repeat::Once;
        let scopes = placed.around.iter().filter(|site| many(site)).count();
        let keys = scopes + usize::from(many(placed.site));
        let wanted = self.many.iter().filter(|many| **many).count();
        let key = if wanted <= keys { "[*]" } else { "[KEY]" };
        let names = self.place.iter().zip(self.many);
        let path = names.map(|(name, many)| match many {
            true => format!("/{name}{key}"),
            false => format!("/{name}"),
        });
        path.collect()
    }
}

/// The names of what stands in a scope; of one of branches, of what stands in these.
pub(super) fn named(site: &LockedSite) -> Vec<&str> {
    let inside = site.sites.iter().flat_map(|site| match site.kind {
        Kind::Branch => named(site),
        _ => vec![&*site.name],
    });
    inside.collect()
}

fn parent(names: &[String]) -> &[String] {
    names.split_last().map_or(&[][..], |(_, around)| around)
}
