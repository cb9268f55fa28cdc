//! Names that are likely to mean the same.

/// Letters that a name which is part of another one has at least.
const PART: usize = 3;

/// Whether one name may well be what the other was changed to: a few edits apart, or part of it.
pub(crate) fn is_near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_word = || {
        let mut words = long.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| word == short)
    };
    let is_part = short.len() >= PART && (long.starts_with(short) || is_word());
    is_part || distance(a, b) <= long.len() / 3
}

/// Edits that lead from one name to the other.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let substitution = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn a_changed_word_is_near_and_another_word_is_not() {
        for (a, b) in [
            ("read", "read_all"),
            ("card", "charge_card"),
            ("fetch", "fetched"),
            ("customer", "custmoer"),
            ("load", "load_v2"),
        ] {
            assert!(is_near(a, b) && is_near(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("read", "load"),
            ("a", "b"),
            ("a", "audit"),
            ("files", "documents"),
            ("charge", "refund"),
            ("pay", "ship"),
        ] {
            assert!(!is_near(a, b) && !is_near(b, a), "{a} {b}");
        }
    }
}
