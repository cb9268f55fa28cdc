//! Colours of the output.

use std::ffi::OsString;

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences.
    Plain,
    /// The sixteen standard terminal colours.
    Colour,
}

impl Style {
    /// Returns [`Style::Colour`] for a terminal, unless `NO_COLOR` is set and not empty or `TERM` is `dumb`.
    pub fn for_terminal(
        is_terminal: bool,
        no_color: Option<OsString>,
        term: Option<OsString>,
    ) -> Self {
        let refused = no_color.is_some_and(|value| !value.is_empty());
        let dumb = term.is_some_and(|term| term == "dumb");
        if is_terminal && !refused && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    /// Formats a heading.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint(text, Tone::Heading)
    }

    /// Adds the colour of `tone`.
    pub(crate) fn paint(self, text: &str, tone: Tone) -> String {
        match (self, tone.code()) {
            (Self::Colour, Some(code)) if !text.is_empty() => {
                format!("\u{1b}[{code}m{text}\u{1b}[0m")
            }
            _ => text.to_owned(),
        }
    }
}

/// Role of a text, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Heading,
    Faint,
    Good,
    Active,
    Bad,
}

impl Tone {
    /// Returns the tone of a status word.
    pub(crate) fn of(status: &str) -> Self {
        match status {
            "succeeded" => Self::Good,
            "failed" | "blocked" => Self::Bad,
            "cancelled" | "continued" | "queued" => Self::Faint,
            _ => Self::Active,
        }
    }

    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("1"),
            Self::Faint => Some("2"),
            Self::Good => Some("32"),
            Self::Active => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}
