//! Paths to earlier call sites, as written in `was`.
//!
//! ```text
//! path     = [ "/" | "../" { "../" } ] segment { "/" segment }
//! segment  = name [ "[" run "]" ]
//! run      = "*" | key
//! ```
//!
//! A path names an operation by display names. It starts in the scope of the call site; `../` goes up one
//! scope, and `/` starts at the top of the durable function that contains the call site. In a key, a backslash
//! escapes the next character; only `]`, `\` and a lone `*` need it.

/// Earlier name and scope of an operation, parsed from `was`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Earlier<'a> {
    pub(crate) from: Start,
    pub(crate) segments: Vec<Segment<'a>>,
}

/// Scope in which a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// That many scopes above the call site.
    Up(usize),
    /// The top of the durable function.
    Top,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(crate) name: &'a str,
    pub(crate) run: Run,
}

/// Run of a call site that a segment refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// No run is written: the only run, or in the last segment the run of the call site with `was`.
    Unsaid,
    /// The run with this key or ordinal.
    Key(String),
    /// `*`: the run with the same key as the call site with `was`.
    Same,
}

impl<'a> Earlier<'a> {
    /// Parses a path. Returns `None` for an invalid path, which the attribute refuses at compile time.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let (from, mut rest) = match path.strip_prefix('/') {
            Some(rest) => (Start::Top, rest),
            None => {
                let (mut up, mut rest) = (0, path);
                while let Some(above) = rest.strip_prefix("../") {
                    (up, rest) = (up + 1, above);
                }
                (Start::Up(up), rest)
            }
        };
        let mut segments = Vec::new();
        loop {
            let (segment, after) = segment(rest)?;
            segments.push(segment);
            match after.strip_prefix('/') {
                Some(more) => rest = more,
                None => return after.is_empty().then_some(Self { from, segments }),
            }
        }
    }

    /// Returns the number of segments written with `*`.
    pub(crate) fn same_runs(&self) -> usize {
        let runs = self.segments.iter();
        runs.filter(|segment| segment.run == Run::Same).count()
    }
}

/// Splits the first segment from the rest of the path.
fn segment(text: &str) -> Option<(Segment<'_>, &str)> {
    let end = text.find(['/', '[']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name == ".." || name.contains([']', '#']) {
        return None;
    }
    let Some(inside) = rest.strip_prefix('[') else {
        let run = Run::Unsaid;
        return Some((Segment { name, run }, rest));
    };
    if let Some(rest) = inside.strip_prefix("*]") {
        let run = Run::Same;
        return Some((Segment { name, run }, rest));
    }
    let (mut key, mut escaped) = (String::new(), false);
    for (at, character) in inside.char_indices() {
        match character {
            _ if escaped => {
                key.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            ']' => {
                let run = Run::Key(key);
                return Some((Segment { name, run }, &inside[at + 1..]));
            }
            other => key.push(other),
        }
    }
    None
}

/// Formats `name[key]` as a segment of a path.
pub(crate) fn display_name(name: &str, key: Option<&str>) -> String {
    let Some(key) = key else {
        return name.to_owned();
    };
    let mut text = format!("{name}[");
    if key == "*" {
        text.push('\\');
    }
    for character in key.chars() {
        if matches!(character, ']' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> (Start, Vec<(String, Run)>) {
        let path = Earlier::parse(path).unwrap();
        let segments = path.segments.into_iter();
        let segments = segments.map(|segment| (segment.name.to_owned(), segment.run));
        (path.from, segments.collect())
    }

    fn key(key: &str) -> Run {
        Run::Key(key.to_owned())
    }

    #[test]
    fn a_path_starts_in_the_scope_above_it_or_at_the_top() {
        let charge = vec![("charge".to_owned(), Run::Unsaid)];
        assert_eq!(parsed("charge"), (Start::Up(0), charge.clone()));
        assert_eq!(parsed("../charge"), (Start::Up(1), charge.clone()));
        assert_eq!(parsed("../../charge"), (Start::Up(2), charge.clone()));
        assert_eq!(parsed("/charge"), (Start::Top, charge));
    }

    #[test]
    fn keys_may_contain_any_escaped_character() {
        let (_, segments) = parsed(r"/files[in/a.csv]/item[*]/load[3]/x[a\]/b[\\]/y[\*]");
        let expected = [
            ("files", key("in/a.csv")),
            ("item", Run::Same),
            ("load", key("3")),
            ("x", key(r"a]/b[\")),
            ("y", key("*")),
        ];
        let expected = expected.map(|(name, run)| (name.to_owned(), run));
        assert_eq!(segments, expected);
    }

    #[test]
    fn formatted_segments_are_parsed_back() {
        for run in ["a", "*", "a*", r"\", "]", r"a]/b[\c]", "", "ключ"] {
            let text = format!("/{}/last", display_name("name", Some(run)));
            let (_, segments) = parsed(&text);
            assert_eq!(segments[0], ("name".to_owned(), key(run)), "{text}");
        }
        assert_eq!(display_name("name", None), "name");
    }

    #[test]
    fn invalid_paths_are_rejected() {
        for text in [
            "", "/", "a/", "/a/", "a//b", "//a", "..", "../", "a/../b", "/../a", "a[", "a[b",
            "a[b]c", "a]", "[b]", r"a[b\]",
        ] {
            assert_eq!(Earlier::parse(text), None, "{text:?}");
        }
    }
}
