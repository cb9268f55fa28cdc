//! The lock as text.

use std::fmt;

use super::{Lock, LockedHandler, LockedSite};
use crate::model::record::Kind;
use crate::model::site::Repeat;

const HEAD: &str = "\
# The names that executions in flight are recognised by, kept by `durable::testing::names!`. Commit this file.
# `DURABLE_LOCK=update cargo test` rewrites it: whoever renames, removes or retypes what stands here without
# a `was` in the code cuts executions in flight off from what they have recorded.
format 1
";

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        self.handlers
            .iter()
            .try_for_each(|handler| write!(f, "\n{handler}"))
    }
}

impl fmt::Display for LockedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let was = was(&self.was);
        let (name, input, output) = (quoted(&self.name), &self.input, &self.output);
        writeln!(f, "handler {name}{was}: {input} -> {output}")?;
        self.sites
            .iter()
            .try_for_each(|site| write_site(f, site, 1))
    }
}

fn write_site(f: &mut fmt::Formatter<'_>, site: &LockedSite, depth: usize) -> fmt::Result {
    writeln!(f, "{:1$}{site}", "", depth * 2)?;
    let mut inside = site.sites.iter();
    inside.try_for_each(|site| write_site(f, site, depth + 1))
}

/// The line of the call site, without those in its scope.
impl fmt::Display for LockedSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeat = match self.repeat {
            Repeat::Once => "",
            Repeat::Keyed => "[key]",
            Repeat::Ordered => "[turn]",
        };
        let (kind, name, was) = (self.kind, quoted(&self.name), was(&self.was));
        write!(f, "{kind} {name}{repeat}{was}")?;
        if let Some(state) = &self.state_type {
            write!(f, " state {}", quoted(state))?;
        }
        match &self.value_type {
            Some(name) => write!(f, ": {name}"),
            None => Ok(()),
        }
    }
}

fn quoted(name: &str) -> serde_json::Value {
    name.into()
}

fn was(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name).to_string()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" was {}", names.join(", ")),
    }
}

/// Why a text is no lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    what: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ParseError {}

impl std::str::FromStr for Lock {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let at = |(number, _): &(usize, &str)| number + 1;
        match lines.next() {
            Some((_, "format 1")) => {}
            other => {
                return Err(ParseError {
                    line: other.as_ref().map_or(1, at),
                    what: "a lock begins with `format 1`; another format is of another release"
                        .into(),
                });
            }
        }
        let mut lock = Self::default();
        for (number, line) in lines {
            let failed = |what: String| ParseError {
                line: number + 1,
                what,
            };
            let indent = line.len() - line.trim_start().len();
            match (indent, line.strip_prefix("handler ")) {
                (0, Some(rest)) => lock.handlers.push(handler(rest).map_err(failed)?),
                (0, None) => return Err(failed("only handlers stand at the margin".into())),
                _ => {
                    let site = site(line.trim_start()).map_err(failed)?;
                    let inside = lock.handlers.last_mut().map(|handler| &mut handler.sites);
                    place(inside, indent, site)
                        .ok_or_else(|| failed("it stands deeper than what is before it".into()))?;
                }
            }
        }
        Ok(lock)
    }
}

/// Puts a site under the last one of every level above its own.
fn place(sites: Option<&mut Vec<LockedSite>>, indent: usize, site: LockedSite) -> Option<()> {
    let mut sites = sites?;
    for _ in 1..indent / 2 {
        sites = &mut sites.last_mut()?.sites;
    }
    sites.push(site);
    Some(())
}

fn handler(text: &str) -> Result<LockedHandler, String> {
    let (name, rest) = unquoted(text)?;
    let (was, rest) = names(rest)?;
    let types = rest
        .strip_prefix(": ")
        .and_then(|rest| rest.split_once(" -> "));
    let (input, output) = types.ok_or("a handler ends with `: Input -> Output`")?;
    Ok(LockedHandler {
        name,
        was,
        input: input.to_owned(),
        output: output.to_owned(),
        sites: Vec::new(),
    })
}

fn site(text: &str) -> Result<LockedSite, String> {
    let (word, rest) = text.split_once(' ').ok_or("a call site has a name")?;
    let kind = Kind::from_word(word).ok_or_else(|| format!("there is no kind `{word}`"))?;
    let (name, rest) = unquoted(rest)?;
    let (repeat, rest) = if let Some(rest) = rest.strip_prefix("[key]") {
        (Repeat::Keyed, rest)
    } else if let Some(rest) = rest.strip_prefix("[turn]") {
        (Repeat::Ordered, rest)
    } else {
        (Repeat::Once, rest)
    };
    let (was, rest) = names(rest)?;
    let (state_type, rest) = match rest.strip_prefix(" state ") {
        Some(rest) => unquoted(rest).map(|(name, rest)| (Some(name), rest))?,
        None => (None, rest),
    };
    let value_type = match (rest, rest.strip_prefix(": ")) {
        ("", _) => None,
        (_, Some(name)) => Some(name.to_owned()),
        (_, None) => return Err(format!("nothing is known by {rest:?}")),
    };
    Ok(LockedSite {
        kind,
        name,
        repeat,
        was,
        value_type,
        state_type,
        source: None,
        sites: Vec::new(),
    })
}

/// The quoted name at the start, and what follows it.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut names = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match names.next() {
        Some(Ok(name)) => Ok((name, &text[names.byte_offset()..])),
        _ => Err(format!("a name in quotes is missing at {text:?}")),
    }
}

fn names(text: &str) -> Result<(Vec<String>, &str), String> {
    let Some(mut rest) = text.strip_prefix(" was ") else {
        return Ok((Vec::new(), text));
    };
    let mut names = Vec::new();
    loop {
        let (name, after) = unquoted(rest)?;
        names.push(name);
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return Ok((names, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
handler "import" was "load", "read: \"all\"": app::Job -> (u32, app::Summary)
  step "read"
  poll "ready" was "there" state "(u32, app::Cursor)": u32
  poll "begun" state "()"
  map "files"[turn]: durable_core::BatchResult<u32>
    branch "item"[key]
      step "parse: it, was"[key] was "read", "list[0]": alloc::vec::Vec<u32>
  race "first"
    wait "late"

handler "other": () -> ()
"#;

    #[test]
    fn a_lock_is_read_as_it_was_written() {
        let text = format!("{HEAD}{TEXT}");
        let lock: Lock = text.parse().unwrap();
        assert_eq!(lock.to_string(), text);
        let file = &lock.handlers[0].sites[3].sites[0].sites[0];
        assert_eq!(file.was, ["read", "list[0]"]);
        assert_eq!(file.value_type.as_deref(), Some("alloc::vec::Vec<u32>"));
        let ready = &lock.handlers[0].sites[1];
        assert_eq!(ready.state_type.as_deref(), Some("(u32, app::Cursor)"));
        assert_eq!(ready.value_type.as_deref(), Some("u32"));
    }

    #[test]
    fn what_is_no_lock_is_refused_by_its_line() {
        for (text, error) in [
            ("", "line 1: a lock begins with `format 1`"),
            ("format 2", "line 1: a lock begins with `format 1`"),
            (
                "format 1\nstep \"a\"",
                "line 2: only handlers stand at the margin",
            ),
            ("format 1\n  step \"a\"", "line 2: it stands deeper"),
            ("format 1\nhandler \"a\"", "line 2: a handler ends with"),
            (
                "format 1\nhandler \"a\": () -> ()\n  stop \"b\"",
                "line 3: there is no kind `stop`",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n  step b",
                "line 3: a name in quotes is missing",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n  step \"b\" is",
                "line 3: nothing is known by",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n    step \"b\"",
                "line 3: it stands deeper",
            ),
        ] {
            let found = text.parse::<Lock>().unwrap_err().to_string();
            assert!(found.starts_with(error), "{text:?}: {found}");
        }
    }
}
