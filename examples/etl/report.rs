//! Text form of the summary.

use super::format::{percent, shortened, thousands};
use super::target::Summary;

/// Width of the longest bar, in characters.
const BAR: u64 = 24;

/// Formats the report that is written to `report.txt` and printed at the end of a run.
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
        format!("  Total cost  {:>12}", dollars(summary.cost)),
    ];
    lines.extend(["", "Top species, by reports", ""].map(String::from));
    lines.extend(species(summary));
    lines.extend(["", "Cost and reports by year", ""].map(String::from));
    lines.extend(years(summary));
    lines.push(String::new());
    lines.join("\n")
}

fn species(summary: &Summary) -> impl Iterator<Item = String> {
    summary.species.iter().map(|species| {
        let share = percent(species.reports, summary.rows);
        let reports = thousands(species.reports);
        let name = shortened(&species.name, 29);
        format!("  {name:<30}{reports:>8}  {share:>6}")
    })
}

fn years(summary: &Summary) -> impl Iterator<Item = String> {
    let largest = summary.years.iter().map(|year| year.cost).max();
    let largest = largest.unwrap_or_default().max(1);
    summary.years.iter().map(move |year| {
        let bar = "█".repeat((year.cost * BAR).div_ceil(largest) as usize);
        let (cost, reports) = (dollars(year.cost), thousands(year.reports));
        let line = format!("  {}  {cost:>12}  {reports:>8}  {bar}", year.year);
        line.trim_end().to_owned()
    })
}

fn dollars(amount: u64) -> String {
    format!("${}", thousands(amount))
}
