//! The summary as text.

use super::format::{percent, thousands};
use super::target::Summary;

/// Width of the longest bar, in characters.
const BAR: u64 = 24;

/// The report that is written to `report.txt` and shown at the end of a run.
pub(crate) fn text(summary: &Summary) -> String {
    let mut lines = vec![
        format!("Bird strikes in {}", summary.file),
        String::new(),
        format!(
            "  Rows        {:>12}   {} to {}",
            thousands(summary.rows),
            summary.first_day,
            summary.last_day
        ),
        format!(
            "  Total cost  {:>12}",
            format!("${}", thousands(summary.cost))
        ),
        String::new(),
        "Top species".into(),
        String::new(),
    ];
    lines.extend(summary.species.iter().map(|species| {
        format!(
            "  {:<30}{:>8}  {:>6}",
            species.name,
            thousands(species.reports),
            percent(species.reports, summary.rows)
        )
    }));
    lines.extend([String::new(), "Cost by year".into(), String::new()]);
    let largest = summary.years.iter().map(|year| year.cost).max();
    let largest = largest.unwrap_or_default().max(1);
    lines.extend(summary.years.iter().map(|year| {
        let bar = "█".repeat((year.cost * BAR).div_ceil(largest) as usize);
        format!(
            "  {}  {:>12}  {:>6} reports  {bar}",
            year.year,
            format!("${}", thousands(year.cost)),
            thousands(year.reports)
        )
        .trim_end()
        .to_owned()
    }));
    lines.push(String::new());
    lines.join("\n")
}
