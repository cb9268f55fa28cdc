//! Tables with aligned columns.

use super::style::{Style, Tone};
use durable_server::view::text::{self, one_line};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Cell of a table: pieces of text, each with a tone.
#[derive(Debug, Default)]
pub(crate) struct Cell(Vec<(String, Tone)>);

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>, tone: Tone) -> Self {
        Self::default().with(text, tone)
    }

    pub(crate) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, Tone::Plain)
    }

    pub(crate) fn with(mut self, text: impl AsRef<str>, tone: Tone) -> Self {
        self.0.push((one_line(text.as_ref()), tone));
        self
    }

    fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text::width(text)).sum()
    }

    fn print(&self, style: Style) -> String {
        self.0
            .iter()
            .map(|(text, tone)| style.paint(text, *tone))
            .collect()
    }
}

enum Line {
    Cells(Vec<Cell>),
    /// Line that ignores the columns.
    Note(Cell),
}

/// Table with a heading.
pub(crate) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    lines: Vec<Line>,
}

impl<const N: usize> Table<N> {
    pub(crate) fn new(columns: [(&'static str, Align); N]) -> Self {
        let headings = columns.map(|(heading, _)| Cell::new(heading, Tone::Heading));
        Self {
            columns,
            lines: vec![Line::Cells(headings.into())],
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.lines.push(Line::Cells(cells));
    }

    pub(crate) fn note(&mut self, note: Cell) {
        self.lines.push(Line::Note(note));
    }

    /// Formats the table: two spaces between columns, no trailing spaces, and no columns that are empty in
    /// every row.
    pub(crate) fn print(&self, style: Style) -> String {
        let mut widths = [0; N];
        for cells in self.cells().skip(1) {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = cell.width().max(*width);
            }
        }
        for (width, (heading, _)) in widths.iter_mut().zip(self.columns) {
            if *width > 0 {
                *width = heading.len().max(*width);
            }
        }
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Note(note) => text.push_str(&note.print(style)),
                Line::Cells(cells) => text.push_str(&self.line(cells, &widths, style)),
            }
            text.push('\n');
        }
        text
    }

    fn cells(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.lines.iter().filter_map(|line| match line {
            Line::Cells(cells) => Some(cells),
            Line::Note(_) => None,
        })
    }

    fn line(&self, cells: &[Cell], widths: &[usize; N], style: Style) -> String {
        let mut line = String::new();
        // Spaces are written only if something follows them.
        let mut spaces = 0;
        for ((cell, &width), (_, align)) in cells.iter().zip(widths).zip(self.columns) {
            if width == 0 {
                continue;
            }
            let fill = width - cell.width();
            if align == Align::Right {
                spaces += fill;
            }
            if cell.width() > 0 {
                line.push_str(&" ".repeat(spaces));
                line.push_str(&cell.print(style));
                spaces = 0;
            }
            if align == Align::Left {
                spaces += fill;
            }
            spaces += 2;
        }
        line
    }
}
