//! Line-based comparison of two texts.

/// Largest comparison, in cells of the table. Beyond it, everything between the common ends counts as different.
const LARGEST: usize = 4_000_000;
/// Equal lines shown around a difference.
const CONTEXT: usize = 3;

/// Returns the lines of both sides, marked `-` if only `left` has them and `+` if only `right` has them, or `None`
/// if both are equal. Long runs of equal lines are left out.
pub(super) fn diff<S: AsRef<str>>(left: &[S], right: &[S]) -> Option<String> {
    let left: Vec<&str> = left.iter().map(AsRef::as_ref).collect();
    let right: Vec<&str> = right.iter().map(AsRef::as_ref).collect();
    if left == right {
        return None;
    }
    let marked = marked(&left, &right);
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(CONTEXT), at + CONTEXT + 1);
        marked[from..to.min(marked.len())]
            .iter()
            .any(|(mark, _)| *mark != ' ')
    };
    let mut text = String::new();
    let mut left_out = 0;
    for (at, (mark, line)) in marked.iter().enumerate() {
        if !near(at) {
            left_out += 1;
            continue;
        }
        skipped(&mut text, &mut left_out);
        text.push_str(format!("  {mark} {line}").trim_end());
        text.push('\n');
    }
    skipped(&mut text, &mut left_out);
    Some(text)
}

fn skipped(text: &mut String, left_out: &mut usize) {
    if *left_out > 0 {
        text.push_str(&format!("    … {left_out} the same\n"));
        *left_out = 0;
    }
}

/// Longest common subsequence, between the common ends.
fn marked<'a>(left: &[&'a str], right: &[&'a str]) -> Vec<(char, &'a str)> {
    let same = |(a, b): &(&&str, &&str)| a == b;
    let head = left.iter().zip(right).take_while(same).count();
    let (a, b) = (&left[head..], &right[head..]);
    let tail = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
    let (a, rest) = a.split_at(a.len() - tail);
    let b = &b[..b.len() - tail];
    let mut lines: Vec<(char, &str)> = left[..head].iter().map(|line| (' ', *line)).collect();
    lines.extend(middle(a, b));
    lines.extend(rest.iter().map(|line| (' ', *line)));
    lines
}

fn middle<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = b.len() + 1;
    let mut common = vec![0_u32; (a.len() + 1) * width];
    if a.len().saturating_mul(b.len()) <= LARGEST {
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                common[i * width + j] = if a[i] == b[j] {
                    common[(i + 1) * width + j + 1] + 1
                } else {
                    common[(i + 1) * width + j].max(common[i * width + j + 1])
                };
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            lines.push((' ', a[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < a.len()
            && (j == b.len() || common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            lines.push(('-', a[i]));
            i += 1;
        } else {
            lines.push(('+', b[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::diff;

    #[test]
    fn only_differing_lines_are_marked() {
        let left = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let right = ["a", "b", "c", "d", "e", "x", "g", "h"];
        let expected = "    … 2 the same\n    c\n    d\n    e\n  - f\n  + x\n    g\n    h\n";
        assert_eq!(diff(&left, &right).unwrap(), expected);
        assert!(diff(&left, &left).is_none());
    }

    #[test]
    fn swapped_and_missing_lines_are_found() {
        let swapped = diff(&["a", "b"], &["b", "a"]).unwrap();
        assert_eq!(swapped, "  - a\n    b\n  + a\n");
        assert_eq!(diff(&["a"], &[]).unwrap(), "  - a\n");
        assert_eq!(diff(&[], &["a"]).unwrap(), "  + a\n");
    }
}
