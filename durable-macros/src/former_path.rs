//! Former paths of call sites, the values of the option `was`. `durable_core` parses them again by the same grammar.

use crate::cfg;
use crate::sites::{Kind, Repeat, Site};

/// Former path of an operation: the scopes it was in, and its name.
pub(crate) struct FormerPath {
    /// Number of scopes above the call site's scope at which the path bases. `None` is the top of the function.
    pub(crate) levels_up: Option<usize>,
    pub(crate) segments: Vec<Segment>,
}

/// Segment of a path: one operation.
#[derive(Clone)]
pub(crate) struct Segment {
    pub(crate) name: String,
    occurrence: Occurrence,
}

#[derive(Clone, PartialEq, Eq)]
enum Occurrence {
    /// In a call site: all its occurrences. In a path: the only one, or the one that looks up its former record.
    Any,
    Key(String),
    SameKey,
}

impl FormerPath {
    /// Parses a path. The error describes why the path is invalid.
    pub(crate) fn parse(path: &str) -> Result<Self, String> {
        let (mut levels_up, mut rest) = (Some(0), path);
        if let Some(below) = rest.strip_prefix('/') {
            (levels_up, rest) = (None, below);
        }
        while let (Some(count), Some(above)) = (levels_up, rest.strip_prefix("../")) {
            (levels_up, rest) = (Some(count + 1), above);
        }
        let mut segments = Vec::new();
        loop {
            let (segment, after) = Segment::parse(rest)?;
            segments.push(segment);
            match after.strip_prefix('/') {
                Some(more) => rest = more,
                None if after.is_empty() => {
                    return Ok(Self {
                        levels_up,
                        segments,
                    });
                }
                None => {
                    return Err(format!(
                        "expected `/` or the end after a key, not {after:?}"
                    ));
                }
            }
        }
    }

    fn wildcard_count(&self) -> usize {
        let runs = self.segments.iter();
        runs.filter(|segment| segment.occurrence == Occurrence::SameKey)
            .count()
    }
}

impl Segment {
    /// Parses the first segment. Returns it with the rest of the text.
    fn parse(text: &str) -> Result<(Self, &str), String> {
        let end = text.find(['/', '[']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name == ".." {
            return Err("`../` is allowed only at the start".to_owned());
        }
        if name.is_empty() && text.len() != end {
            return Err(format!("a name is missing before {rest:?}"));
        }
        let segment = |occurrence| Self {
            name: name.to_owned(),
            occurrence,
        };
        let Some(inside) = rest.strip_prefix('[') else {
            return Ok((segment(Occurrence::Any), rest));
        };
        if let Some(rest) = inside.strip_prefix("*]") {
            return Ok((segment(Occurrence::SameKey), rest));
        }
        let (mut key, mut escaped) = (String::new(), false);
        for (at, character) in inside.char_indices() {
            match character {
                _ if escaped => {
                    key.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                ']' => return Ok((segment(Occurrence::Key(key)), &inside[at + 1..])),
                other => key.push(other),
            }
        }
        Err(format!("the key of `{name}` has no closing `]`"))
    }

    /// The segment of a call site. Its key is known only for the branches of a `parallel!`.
    fn of(sites: &[Site], index: usize) -> Option<Self> {
        let site = &sites[index];
        let name = site.call.name.as_ref()?.text.clone();
        let parent = site.call.parent.map(|parent| &sites[parent].call);
        let arm = parent
            .filter(|parent| parent.kind == Kind::Parallel && site.call.kind == Kind::Branch)
            .and_then(|parent| {
                let at = parent.parts.iter().position(|part| *part == index)?;
                parent.arms.get(at)
            });
        let occurrence = arm.map_or(Occurrence::Any, |arm| Occurrence::Key(arm.name.value()));
        Some(Self { name, occurrence })
    }

    /// Whether this segment of a path may name an operation of the call site `site`.
    fn may_match(&self, site: &Self) -> bool {
        let other_key = matches!((&self.occurrence, &site.occurrence), (Occurrence::Key(a), Occurrence::Key(b)) if a != b);
        self.name == site.name && !other_key
    }

    /// Whether this segment names all operations of `site`, not just one of its occurrences.
    fn covers(&self, site: &Self) -> bool {
        let one_key = matches!(
            (&self.occurrence, &site.occurrence),
            (Occurrence::Key(_), Occurrence::Any)
        );
        self.may_match(site) && !one_key
    }
}

type Path = Vec<Segment>;

/// Why `former` cannot be a former path of call site `index`.
pub(crate) fn conflict(sites: &[Site], index: usize, former: &FormerPath) -> Option<String> {
    let paths = resolve(sites, index, former)?;
    if former.wildcard_count() > key_count(sites, index) {
        let message = "has more `[*]` than this call site and its scopes have keys: write the recorded key, such as `[3]`";
        return Some(message.to_owned());
    }
    let site = &sites[index];
    let live = (0..sites.len()).filter(|other| {
        let other_site = &sites[*other];
        *other != index
            && is_recorded(other_site)
            && !cfg::exclusive(&other_site.place.cfgs, &site.place.cfgs)
    });
    let mut live = live.filter(|other| {
        let places = paths_of_site(sites, *other);
        places.iter().any(|place| {
            paths
                .iter()
                .any(|path| matches_all(path, place, Segment::covers))
        })
    });
    let name = sites[live.next()?].call.name.as_ref()?;
    let line = name.tokens.clone().into_iter().next()?.span().start().line;
    Some(format!(
        "is still the name of the call site in line {line}: `was` takes a name that is no longer in use"
    ))
}

/// For each site, whether it is a scope that a call site now outside of it was in, according to its `was`.
pub(crate) fn vacated(sites: &[Site]) -> Vec<bool> {
    let mut vacated = vec![false; sites.len()];
    for (index, site) in sites.iter().enumerate() {
        let enclosing: Vec<usize> = scopes(sites, index).collect();
        for text in site.call.options.texts("was") {
            let former = FormerPath::parse(&text.value()).ok();
            let paths = former.and_then(|former| resolve(sites, index, &former));
            for path in paths.into_iter().flatten() {
                for scope in (0..sites.len()).filter(|scope| !enclosing.contains(scope)) {
                    let places = paths_of_site(sites, scope);
                    vacated[scope] |= places.iter().any(|place| {
                        place.len() < path.len()
                            && matches_all(&path[..place.len()], place, Segment::may_match)
                    });
                }
            }
        }
    }
    vacated
}

fn matches_all(path: &[Segment], place: &[Segment], is: fn(&Segment, &Segment) -> bool) -> bool {
    path.len() == place.len() && path.iter().zip(place).all(|(path, place)| is(path, place))
}

fn is_recorded(site: &Site) -> bool {
    site.call.kind.is_recorded() && site.call.broken.is_none() && site.place.forbidden.is_none()
}

/// The scopes around a call site, innermost first.
fn scopes(sites: &[Site], index: usize) -> impl Iterator<Item = usize> {
    let enclosing = sites[index].place.scope;
    std::iter::successors(enclosing, |scope| sites[*scope].place.scope)
}

/// Number of keys and positions that identify one occurrence of a call site, including those of its scopes.
fn key_count(sites: &[Site], index: usize) -> usize {
    let many = |index: &usize| {
        let Site { call, place } = &sites[*index];
        let repeats = matches!(place.repeat, Some(Repeat::Loop | Repeat::Closure));
        let told_apart = call.keyed || call.key().is_some() || call.options.flag("ordered");
        told_apart || repeats || call.kind == Kind::Branch
    };
    let all = std::iter::once(index).chain(scopes(sites, index));
    all.filter(many).count()
}

/// All absolute paths that `former` may stand for, or `None` if it leads out of the function.
fn resolve(sites: &[Site], index: usize, former: &FormerPath) -> Option<Vec<Path>> {
    let bases = match former.levels_up {
        None => vec![Path::new()],
        Some(levels_up) => {
            let mut scope = sites[index].place.scope;
            for _ in 0..levels_up {
                scope = sites[scope?].place.scope;
            }
            paths_of_scope(sites, scope)
        }
    };
    let paths = bases.into_iter();
    Some(
        paths
            .map(|path| [&path[..], &former.segments].concat())
            .collect(),
    )
}

/// The current and former paths of a scope.
fn paths_of_scope(sites: &[Site], scope: Option<usize>) -> Vec<Path> {
    let Some(scope) = scope else {
        return vec![Path::new()];
    };
    let mut paths = paths_of_site(sites, scope);
    for text in sites[scope].call.options.texts("was") {
        if let Ok(former) = FormerPath::parse(&text.value()) {
            paths.extend(resolve(sites, scope, &former).unwrap_or_default());
        }
    }
    paths
}

/// The current path of a call site, once for each current or former path of its scope.
fn paths_of_site(sites: &[Site], index: usize) -> Vec<Path> {
    let Some(segment) = Segment::of(sites, index) else {
        return Vec::new();
    };
    let mut paths = paths_of_scope(sites, sites[index].place.scope);
    paths.iter_mut().for_each(|path| path.push(segment.clone()));
    paths
}
