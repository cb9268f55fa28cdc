//! Formats durations, sizes and names for people.

use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Formats a duration: `12 ms`, `1.2 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h`.
pub fn duration(duration: Duration) -> String {
    let (millis, seconds) = (duration.as_millis(), duration.as_secs());
    let two = |large: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {sub}"),
    };
    match seconds {
        _ if millis < 1000 => format!("{millis} ms"),
        0..60 => format!("{seconds}.{} s", millis % 1000 / 100),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

/// Formats a size: `812 B`, `1.2 kB`, `3.4 MB`.
pub fn bytes(count: usize) -> String {
    match count {
        0..1000 => format!("{count} B"),
        1000..999_950 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// Escapes line breaks and other control characters, so that stored text cannot control the terminal.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Returns the number of terminal columns that the text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Truncates to at most `limit` columns, ending with an ellipsis if anything was cut.
pub fn truncated(text: &str, limit: Option<usize>) -> String {
    match limit {
        Some(limit) if width(text) > limit => head(text, limit.saturating_sub(1)).to_owned() + "…",
        _ => text.to_owned(),
    }
}

/// Shortens the name of an operation to at most `limit` columns. Cuts the middle of a long key, because keys
/// are often paths, which differ at their ends.
pub fn short_name(name: &str, limit: usize) -> String {
    if width(name) <= limit || !name.ends_with(']') || !name.contains('[') {
        return truncated(name, Some(limit));
    }
    let end = limit / 2;
    let start = head(name, limit.saturating_sub(end + 1));
    format!("{start}…{}", tail(name, end))
}

/// Returns as much of the beginning as fits into `limit` columns.
fn head(text: &str, limit: usize) -> &str {
    let mut columns = 0;
    let end = text.char_indices().find(|(_, c)| {
        columns += c.width().unwrap_or(0);
        columns > limit
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// Returns as much of the end as fits into `limit` columns.
fn tail(text: &str, limit: usize) -> &str {
    let mut columns = 0;
    let before = text.char_indices().rev().find(|(_, c)| {
        columns += c.width().unwrap_or(0);
        columns > limit
    });
    before.map_or(text, |(at, c)| &text[at + c.len_utf8()..])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{bytes, duration, one_line, short_name, truncated, width};

    #[test]
    fn durations_have_at_most_two_units() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(0), "0 ms");
        assert_eq!(text(999), "999 ms");
        assert_eq!(text(1250), "1.2 s");
        assert_eq!(text(59_999), "59.9 s");
        assert_eq!(text(184_000), "3 min 4 s");
        assert_eq!(text(7_500_000), "2 h 5 min");
        assert_eq!(text(86_400_000), "1 d");
        assert_eq!(text(273_600_000), "3 d 4 h");
    }

    #[test]
    fn sizes_are_rounded() {
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(1234), "1.2 kB");
        assert_eq!(bytes(999_999), "1.0 MB");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(one_line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
    }

    #[test]
    fn truncation_counts_columns() {
        assert_eq!(truncated("äöü", Some(3)), "äöü");
        assert_eq!(truncated("äöüß", Some(3)), "äö…");
        assert_eq!(truncated("äöüß", None), "äöüß");
        // Two columns each.
        assert_eq!(truncated("日本語", Some(6)), "日本語");
        assert_eq!(truncated("日本語", Some(5)), "日本…");
        assert_eq!(truncated("日本語", Some(4)), "日…");
        // A combining accent takes no column.
        assert_eq!(truncated("e\u{301}e\u{301}", Some(2)), "e\u{301}e\u{301}");
    }

    #[test]
    fn a_short_name_keeps_both_ends() {
        assert_eq!(short_name("load[a]", 10), "load[a]");
        assert_eq!(short_name("load[0123456789]", 10), "load…6789]");
        assert_eq!(short_name("a label of many words", 10), "a label o…");
        for limit in 6..12 {
            assert!(width(&short_name("load[日本語日本語]", limit)) <= limit);
        }
    }
}
