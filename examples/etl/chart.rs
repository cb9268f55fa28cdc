//! Chart of the summary.

use std::fmt::Write as _;

use super::format::{counted, percent, short_dollars, shortened, thousands};
use super::target::Summary;

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 48.0;
/// Left edge, right edge, top and bottom of the columns.
const COLUMNS: (f64, f64, f64, f64) = (96.0, WIDTH - MARGIN, 168.0, 428.0);
/// Left edge and right edge of the bars, and the top of the first one.
const BARS: (f64, f64, f64) = (232.0, 800.0, 548.0);
const BAR_PITCH: f64 = 30.0;

const STYLE: &str = "
  text { font-family: 'Inter', 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; fill: #1f2933; font-size: 13px; }
  .title { font-size: 24px; font-weight: 700; }
  .subtitle { font-size: 14px; fill: #52606d; }
  .heading { font-size: 16px; font-weight: 600; }
  .axis { fill: #52606d; }
  .value { font-weight: 600; font-size: 12px; }
  .share { fill: #52606d; font-weight: 400; }
  .grid { stroke: #e4e7eb; stroke-width: 1; }
  .base { stroke: #7b8794; stroke-width: 1; }
  .bar { fill: #3e7cb1; }
  .peak { fill: #d9622b; }
";

/// Draws an SVG document with cost by year as columns and the top species as bars.
pub(crate) fn svg(summary: &Summary) -> String {
    let height = BARS.2 + BAR_PITCH * summary.species.len() as f64 + 56.0;
    let mut out = Svg::default();
    let title = format!(
        "Bird strikes: {} in reported costs, {}",
        short_dollars(summary.cost),
        period(summary)
    );
    out.raw(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">"#
    ));
    out.raw(format_args!(
        r#"<title id="title">{}</title>"#,
        escaped(&title)
    ));
    out.raw(format_args!("<style>{STYLE}</style>"));
    out.raw(format_args!(
        r##"<rect width="{WIDTH}" height="{height}" fill="#fbfcfd"/>"##
    ));
    out.text(MARGIN, 56.0, "title", "start", &title);
    let reports = format!("{} in {}", counted(summary.rows, "report"), summary.file);
    out.text(MARGIN, 82.0, "subtitle", "start", &reports);
    cost_by_year(&mut out, summary);
    top_species(&mut out, summary);
    out.raw(format_args!("</svg>"));
    out.0
}

fn period(summary: &Summary) -> String {
    match (summary.years.first(), summary.years.last()) {
        (Some(first), Some(last)) if first.year != last.year => {
            format!("{}–{}", first.year, last.year)
        }
        (Some(only), _) => only.year.to_string(),
        _ => "no year".into(),
    }
}

fn cost_by_year(out: &mut Svg, summary: &Summary) {
    let (left, right, _, bottom) = COLUMNS;
    let heading = "Cost by year of flight, in US dollars";
    out.text(MARGIN, 132.0, "heading", "start", heading);
    let peak = summary.years.iter().map(|year| year.cost).max();
    let peak = peak.unwrap_or_default();
    let scale = cost_axis(out, peak);

    let pitch = (right - left) / summary.years.len().max(1) as f64;
    let width = (pitch * 0.7).min(72.0);
    // Labels that would overlap are thinned out. The highest column always has one.
    let every = (40.0 / pitch).ceil() as usize;
    for (index, year) in summary.years.iter().enumerate() {
        let middle = left + pitch * (index as f64 + 0.5);
        let height = year.cost as f64 * scale;
        let highest = year.cost == peak && peak > 0;
        let class = if highest { "bar peak" } else { "bar" };
        let (cost, reports) = (thousands(year.cost), counted(year.reports, "report"));
        let hint = format!("{}: ${cost}, {reports}", year.year);
        let (x, y) = (middle - width / 2.0, bottom - height);
        out.bar(x, y, width, height, class, &hint);
        if every == 1 || highest {
            let label = short_dollars(year.cost);
            out.text(middle, y - 7.0, "value", "middle", &label);
        }
        if index % every == 0 {
            let label = year.year.to_string();
            out.text(middle, bottom + 22.0, "axis", "middle", &label);
        }
    }
    let middle = f64::midpoint(left, right);
    out.text(middle, bottom + 46.0, "axis", "middle", "Year");
}

/// Draws labelled grid lines up to at least `peak`. Returns the height of one dollar.
fn cost_axis(out: &mut Svg, peak: u64) -> f64 {
    let (left, right, top, bottom) = COLUMNS;
    let step = axis_step(peak);
    let lines = peak.div_ceil(step).max(1);
    let distance = (bottom - top) / lines as f64;
    for line in 0..=lines {
        let y = bottom - distance * line as f64;
        out.line(left, right, y, if line == 0 { "base" } else { "grid" });
        let label = short_dollars(line * step).replace(".0", "");
        out.text(left - 10.0, y + 4.5, "axis", "end", &label);
    }
    distance / step as f64
}

fn top_species(out: &mut Svg, summary: &Summary) {
    let (left, right, top) = BARS;
    let heading = "Most reported species, by number of reports";
    out.text(MARGIN, top - 28.0, "heading", "start", heading);
    let max = summary.species.iter().map(|species| species.reports).max();
    let max = max.unwrap_or_default().max(1);
    for (index, species) in summary.species.iter().enumerate() {
        let y = top + BAR_PITCH * index as f64;
        let length = (right - left) * species.reports as f64 / max as f64;
        let name = shortened(&species.name, 26);
        out.text(left - 10.0, y + 14.5, "label", "end", &name);
        let class = if index == 0 { "bar peak" } else { "bar" };
        out.bar(left, y, length.max(1.0), 20.0, class, &species.name);
        out.raw(format_args!(
            r#"<text x="{:.1}" y="{:.1}" class="value">{} <tspan class="share">{}</tspan></text>"#,
            left + length + 8.0,
            y + 14.5,
            thousands(species.reports),
            percent(species.reports, summary.rows)
        ));
    }
}

/// Returns a round distance between grid lines that results in at most five above zero.
fn axis_step(peak: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if peak.div_ceil(step) <= 5 {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// SVG document under construction.
#[derive(Default)]
struct Svg(String);

impl Svg {
    fn raw(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        self.raw(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" class="{class}" text-anchor="{anchor}">{}</text>"#,
            escaped(text)
        ));
    }

    fn line(&mut self, from: f64, to: f64, y: f64, class: &str) {
        self.raw(format_args!(
            r#"<line x1="{from:.1}" x2="{to:.1}" y1="{y:.1}" y2="{y:.1}" class="{class}"/>"#
        ));
    }

    /// Draws a rectangle with a tooltip.
    fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str, hint: &str) {
        self.raw(format_args!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"><title>{}</title></rect>"#,
            escaped(hint)
        ));
    }
}
