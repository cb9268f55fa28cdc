//! Similarity of names, for hints about renames.

/// Minimum length of a name that counts as part of another one.
const MIN_PART_LEN: usize = 3;

/// Returns whether one name may be a rename of the other: a few edits apart, or part of it.
pub(crate) fn is_near(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_word = || {
        let mut words = long.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| word == short)
    };
    let is_part = short.len() >= MIN_PART_LEN && (long.starts_with(short) || is_word());
    is_part || distance(a, b) <= long.len() / 3
}

/// Computes the Levenshtein distance.
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
    fn edited_names_are_near_and_other_names_are_not() {
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
