//! Text form of a lock.

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
    let mut nested = site.sites.iter();
    nested.try_for_each(|site| write_site(f, site, depth + 1))
}

/// Formats the line of a call site, without the call sites in its scope.
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

/// Error returned when a text is not a valid lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    line: usize,
    message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

impl std::str::FromStr for Lock {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lines = text.lines().enumerate();
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let line_number = |(number, _): &(usize, &str)| number + 1;
        match lines.next() {
            Some((_, "format 1")) => {}
            other => {
                return Err(ParseError {
                    line: other.as_ref().map_or(1, line_number),
                    message: "expected `format 1` in the first line: another format belongs to another release".into(),
                });
            }
        }
        let mut lock = Self::default();
        for (number, line) in lines {
            let failed = |message: String| ParseError {
                line: number + 1,
                message,
            };
            // Formatting would turn one at the end of a line into a part of the line break.
            if line.contains('\r') {
                return Err(failed("the line contains a carriage return".into()));
            }
            let indent = line.len() - line.trim_start().len();
            match (indent, line.strip_prefix("handler ")) {
                (0, Some(rest)) => lock.handlers.push(handler(rest).map_err(failed)?),
                (0, None) => {
                    return Err(failed(
                        "expected `handler` at the start of a line without indentation".into(),
                    ));
                }
                _ => {
                    let site = site(line.trim_start()).map_err(failed)?;
                    let sites = lock.handlers.last_mut().map(|handler| &mut handler.sites);
                    insert(sites, indent, site).ok_or_else(|| {
                        failed(
                            "the line is indented too far: at most one level below the line before"
                                .into(),
                        )
                    })?;
                }
            }
        }
        Ok(lock)
    }
}

/// Appends a site at the level given by its indentation.
fn insert(sites: Option<&mut Vec<LockedSite>>, indent: usize, site: LockedSite) -> Option<()> {
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
    let (input, output) = types.ok_or("expected `: Input -> Output` at the end of a handler")?;
    Ok(LockedHandler {
        name,
        was,
        input: input.to_owned(),
        output: output.to_owned(),
        sites: Vec::new(),
    })
}

fn site(text: &str) -> Result<LockedSite, String> {
    let (word, rest) = text
        .split_once(' ')
        .ok_or("expected a name after the kind of a call site")?;
    let kind = Kind::from_word(word).ok_or_else(|| format!("unknown kind `{word}`"))?;
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
        (_, None) => return Err(format!("unexpected {rest:?} after the name")),
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

/// Parses the quoted name at the start and returns what follows it.
fn unquoted(text: &str) -> Result<(String, &str), String> {
    let mut names = serde_json::Deserializer::from_str(text).into_iter::<String>();
    match names.next() {
        Some(Ok(name)) => Ok((name, &text[names.byte_offset()..])),
        _ => Err(format!("expected a name in quotes at {text:?}")),
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
    fn a_formatted_lock_is_parsed_back() {
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
    fn parse_errors_name_the_line() {
        for (text, error) in [
            ("", "line 1: expected `format 1`"),
            ("format 2", "line 1: expected `format 1`"),
            (
                "format 1\nstep \"a\"",
                "line 2: expected `handler` at the start",
            ),
            (
                "format 1\n  step \"a\"",
                "line 2: the line is indented too far",
            ),
            (
                "format 1\nhandler \"a\"",
                "line 2: expected `: Input -> Output`",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n  stop \"b\"",
                "line 3: unknown kind `stop`",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n  step b",
                "line 3: expected a name in quotes",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n  step \"b\" is",
                "line 3: unexpected",
            ),
            (
                "format 1\r\nhandler \"a\": () -> ()\r\r\n",
                "line 2: the line contains a carriage return",
            ),
            (
                "format 1\nhandler \"a\": () -> ()\n    step \"b\"",
                "line 3: the line is indented too far",
            ),
        ] {
            let found = text.parse::<Lock>().unwrap_err().to_string();
            assert!(found.starts_with(error), "{text:?}: {found}");
        }
    }
}
