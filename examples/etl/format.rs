//! Formatting of numbers and names.

/// Formats `40545276` as `40,545,276`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats `7991378` as `$8.0M`, with at most three digits, for labels.
pub(crate) fn short_dollars(amount: u64) -> String {
    let units = [(1e9, "B"), (1e6, "M"), (1e3, "K")];
    let amount = amount as f64;
    for (unit, letter) in units {
        // From 999.5 thousand on, three digits would round to a million.
        if amount >= unit * 0.9995 {
            let decimals = usize::from(amount < unit * 99.95);
            return format!("${:.decimals$}{letter}", amount / unit);
        }
    }
    format!("${amount}")
}

/// Formats a share as `35.7%`.
pub(crate) fn percent(part: u64, total: u64) -> String {
    format!("{:.1}%", 100.0 * part as f64 / total.max(1) as f64)
}

/// Formats a number with a noun: `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// Shortens a text to at most `max` characters.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}
