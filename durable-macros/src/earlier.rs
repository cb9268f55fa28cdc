//! Paths of earlier call sites: what `was` takes. The grammar is that of `durable_core`, which reads them again.

use crate::cfg;
use crate::sites::{Kind, Repeat, Site};

/// What `was` says: where an operation stood, and under which name.
pub(crate) struct Earlier {
    /// How many scopes above that of the call site it begins; none for the top of the function.
    pub(crate) up: Option<usize>,
    pub(crate) segments: Vec<Segment>,
}

/// One operation of a path.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) name: String,
    run: Run,
}

#[derive(Clone, PartialEq, Eq)]
enum Run {
    /// Of a call site, any; of a path, the only one, or the one that asks.
    Unsaid,
    Key(String),
    Same,
}

impl Earlier {
    /// Reads a path, or says why it is none.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let (mut up, mut rest) = (Some(0), path);
        if let Some(below) = rest.strip_prefix('/') {
            (up, rest) = (None, below);
        }
        while let (Some(count), Some(above)) = (up, rest.strip_prefix("../")) {
            (up, rest) = (Some(count + 1), above);
        }
        let mut segments = Vec::new();
        loop {
            let (segment, after) = Segment::parse(rest)?;
            segments.push(segment);
            match after.strip_prefix('/') {
                Some(more) => rest = more,
                None if after.is_empty() => return Ok(Self { up, segments }),
                None => {
                    return Err(format!(
                        "what follows a key is `/` or the end, not {after:?}"
                    ));
                }
            }
        }
    }

    fn same_runs(&self) -> usize {
        let runs = self.segments.iter();
        runs.filter(|segment| segment.run == Run::Same).count()
    }
}

impl Segment {
    /// The segment at the start, and what follows it.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let end = text.find(['/', '[']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name == ".." {
            return Err("`../` stands at the start only".to_owned());
        }
        if name.is_empty() && text.len() != end {
            return Err(format!("a name is missing in front of {rest:?}"));
        }
        let segment = |run| Self {
            name: name.to_owned(),
            run,
        };
        let Some(inside) = rest.strip_prefix('[') else {
            return Ok((segment(Run::Unsaid), rest));
        };
        if let Some(rest) = inside.strip_prefix("*]") {
            return Ok((segment(Run::Same), rest));
        }
        let (mut key, mut escaped) = (String::new(), false);
        for (at, character) in inside.char_indices() {
            match character {
                _ if escaped => {
                    key.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                ']' => return Ok((segment(Run::Key(key)), &inside[at + 1..])),
                other => key.push(other),
            }
        }
        Err(format!("the key of `{name}` lacks its `]`"))
    }

    /// The operations of a call site, as far as it is known which.
    fn of(sites: &[Site], index: usize) -> Option<Self> {
        let site = &sites[index];
        let name = site.call.name.as_ref()?.text.clone();
        let whole = site.call.part_of.map(|whole| &sites[whole].call);
        let arm = whole
            .filter(|whole| whole.kind == Kind::Parallel && site.call.kind == Kind::Branch)
            .and_then(|whole| {
                let at = whole.parts.iter().position(|part| *part == index)?;
                whole.arms.get(at)
            });
        let run = arm.map_or(Run::Unsaid, |arm| Run::Key(arm.name.value()));
        Some(Self { name, run })
    }

    /// Whether the call site `site` may have made what this segment of a path names.
    fn may_be(&self, site: &Self) -> bool {
        let other_key = matches!((&self.run, &site.run), (Run::Key(a), Run::Key(b)) if a != b);
        self.name == site.name && !other_key
    }

    /// Whether it names what `site` makes, and not only one of its runs.
    fn is(&self, site: &Self) -> bool {
        let one_run = matches!((&self.run, &site.run), (Run::Key(_), Run::Unsaid));
        self.may_be(site) && !one_run
    }
}

type Path = Vec<Segment>;

/// What is wrong with `earlier` as what call site `index` was.
pub(crate) fn fault(sites: &[Site], index: usize, earlier: &Earlier) -> Option<String> {
    let paths = resolved(sites, index, earlier)?;
    if earlier.same_runs() > keys(sites, index) {
        let message = "has more `[*]` than there are keys here, whose places they take: write the key that is recorded, \
                       such as `[3]`";
        return Some(message.to_owned());
    }
    let site = &sites[index];
    let live = (0..sites.len()).filter(|other| {
        let there = &sites[*other];
        *other != index
            && is_recorded(there)
            && !cfg::exclusive(&there.place.cfgs, &site.place.cfgs)
    });
    let mut live = live.filter(|other| {
        let places = own_paths(sites, *other);
        places
            .iter()
            .any(|place| paths.iter().any(|path| is_all(path, place, Segment::is)))
    });
    let name = sites[live.next()?].call.name.as_ref()?;
    let line = name.tokens.clone().into_iter().next()?.span().start().line;
    Some(format!(
        "is still the name of the call site in line {line}: `was` takes a name that is no longer used"
    ))
}

/// The scopes that call sites outside of them say they stood in.
pub(crate) fn vacated(sites: &[Site]) -> Vec<bool> {
    let mut vacated = vec![false; sites.len()];
    for (index, site) in sites.iter().enumerate() {
        let around: Vec<usize> = scopes(sites, index).collect();
        for text in site.call.options.texts("was") {
            let earlier = Earlier::parse(&text.value()).ok();
            let paths = earlier.and_then(|earlier| resolved(sites, index, &earlier));
            for path in paths.into_iter().flatten() {
                for scope in (0..sites.len()).filter(|scope| !around.contains(scope)) {
                    let places = own_paths(sites, scope);
                    vacated[scope] |= places.iter().any(|place| {
                        place.len() < path.len()
                            && is_all(&path[..place.len()], place, Segment::may_be)
                    });
                }
            }
        }
    }
    vacated
}

fn is_all(path: &[Segment], place: &[Segment], is: fn(&Segment, &Segment) -> bool) -> bool {
    path.len() == place.len() && path.iter().zip(place).all(|(path, place)| is(path, place))
}

fn is_recorded(site: &Site) -> bool {
    site.call.kind.is_recorded() && site.call.broken.is_none() && site.place.refused.is_none()
}

/// The scopes around a call site, the innermost first.
fn scopes(sites: &[Site], index: usize) -> impl Iterator<Item = usize> {
    let around = sites[index].place.scope;
    std::iter::successors(around, |scope| sites[*scope].place.scope)
}

/// How many keys or turns tell a run of a call site apart, with those of the scopes around it.
fn keys(sites: &[Site], index: usize) -> usize {
    let many = |index: &usize| {
        let Site { call, place } = &sites[*index];
        let repeats = matches!(place.repeat, Some(Repeat::Loop | Repeat::Closure));
        let told_apart = call.keyed || call.key().is_some() || call.options.flag("ordered");
        told_apart || repeats || call.kind == Kind::Branch
    };
    let all = std::iter::once(index).chain(scopes(sites, index));
    all.filter(many).count()
}

/// Everything that `earlier` may be, from the top of the function; none where it leads out of that.
fn resolved(sites: &[Site], index: usize, earlier: &Earlier) -> Option<Vec<Path>> {
    let begins = match earlier.up {
        None => vec![Path::new()],
        Some(up) => {
            let mut scope = sites[index].place.scope;
            for _ in 0..up {
                scope = sites[scope?].place.scope;
            }
            paths_of_scope(sites, scope)
        }
    };
    let paths = begins.into_iter();
    Some(
        paths
            .map(|path| [&path[..], &earlier.segments].concat())
            .collect(),
    )
}

/// Where a scope stands, and where it says that it stood.
fn paths_of_scope(sites: &[Site], scope: Option<usize>) -> Vec<Path> {
    let Some(scope) = scope else {
        return vec![Path::new()];
    };
    let mut paths = own_paths(sites, scope);
    for text in sites[scope].call.options.texts("was") {
        if let Ok(earlier) = Earlier::parse(&text.value()) {
            paths.extend(resolved(sites, scope, &earlier).unwrap_or_default());
        }
    }
    paths
}

/// Where a call site stands, with every place that the scopes around it had.
fn own_paths(sites: &[Site], index: usize) -> Vec<Path> {
    let Some(segment) = Segment::of(sites, index) else {
        return Vec::new();
    };
    let mut paths = paths_of_scope(sites, sites[index].place.scope);
    paths.iter_mut().for_each(|path| path.push(segment.clone()));
    paths
}
