//! Paths of earlier call sites: what `was` takes.
//!
//! ```text
//! path     = [ "/" | "../" { "../" } ] segment { "/" segment }
//! segment  = name [ "[" run "]" ]
//! run      = "*" | key
//! ```
//!
//! A path names an operation as histories write it. It begins in the scope of the call site; `../` leads to the
//! scope around, `/` to the top of the durable function that the call site is written in. In a key, a backslash
//! takes the special meaning from the character behind it, which only `]`, `\` and a lone `*` have.

/// What `was` says: where an operation stood, and under which name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Earlier<'a> {
    pub(crate) from: Start,
    pub(crate) segments: Vec<Segment<'a>>,
}

/// The scope in which a path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// This many scopes above that of the call site.
    Up(usize),
    /// The top of the durable function.
    Top,
}

/// One operation of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(crate) name: &'a str,
    pub(crate) run: Run,
}

/// Which run of a call site a segment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// The only one; of the last segment also the one that asks.
    Unsaid,
    /// The run with this key or turn.
    Key(String),
    /// The run with the key of the one that asks.
    Same,
}

impl<'a> Earlier<'a> {
    /// Reads a path. None is no path; the attribute refuses it.
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

    /// How many segments name the run with the key of the one that asks.
    pub(crate) fn same_runs(&self) -> usize {
        let runs = self.segments.iter();
        runs.filter(|segment| segment.run == Run::Same).count()
    }
}

/// The segment at the start, and what follows it.
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

/// `name[key]` as a path writes it.
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
    fn a_path_begins_here_above_or_at_the_top() {
        let charge = vec![("charge".to_owned(), Run::Unsaid)];
        assert_eq!(parsed("charge"), (Start::Up(0), charge.clone()));
        assert_eq!(parsed("../charge"), (Start::Up(1), charge.clone()));
        assert_eq!(parsed("../../charge"), (Start::Up(2), charge.clone()));
        assert_eq!(parsed("/charge"), (Start::Top, charge));
    }

    #[test]
    fn keys_hold_whatever_histories_write() {
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
    fn what_is_written_is_read_again() {
        for run in ["a", "*", "a*", r"\", "]", r"a]/b[\c]", "", "ключ"] {
            let text = format!("/{}/last", display_name("name", Some(run)));
            let (_, segments) = parsed(&text);
            assert_eq!(segments[0], ("name".to_owned(), key(run)), "{text}");
        }
        assert_eq!(display_name("name", None), "name");
    }

    #[test]
    fn what_is_no_path_is_not_read() {
        for text in [
            "", "/", "a/", "/a/", "a//b", "//a", "..", "../", "a/../b", "/../a", "a[", "a[b",
            "a[b]c", "a]", "[b]", r"a[b\]",
        ] {
            assert_eq!(Earlier::parse(text), None, "{text:?}");
        }
    }
}
