//! Graphs of handlers, with the state of an execution.

mod history;
mod json;
mod mermaid;
mod model;
mod svg;

pub use json::{Graph, GraphNode};
pub use model::{Drawing, Node, State};

impl Drawing {
    /// Writes the graph as Mermaid text.
    pub fn mermaid(&self) -> String {
        mermaid::write(self)
    }

    /// Writes the graph as an SVG image with colours for a light background.
    pub fn svg(&self) -> String {
        svg::write(self, svg::Paint::Fixed)
    }

    /// Writes the graph as an SVG element for an HTML page, with classes for a style sheet: `node`, `ink` and `arrow`,
    /// together with the words of the states.
    pub fn inline_svg(&self) -> String {
        svg::write(self, svg::Paint::Classes)
    }
}
