//! Numbers as people read them.

/// `40545276` as `40,545,276`.
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

/// `7991378` as `$8.0M`: three digits at most, for labels.
pub(crate) fn short_dollars(amount: u64) -> String {
    let units = [(1e9, "B"), (1e6, "M"), (1e3, "K")];
    let amount = amount as f64;
    for (unit, letter) in units {
        // From 999.5 thousand on, three digits of thousands would round to a million.
        if amount >= unit * 0.9995 {
            let decimals = usize::from(amount < unit * 99.95);
            return format!("${:.decimals$}{letter}", amount / unit);
        }
    }
    format!("${amount}")
}

/// A share as `35.7%`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", 100.0 * part as f64 / whole.max(1) as f64)
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", thousands(number))
}

/// At most `most` characters of a name.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
