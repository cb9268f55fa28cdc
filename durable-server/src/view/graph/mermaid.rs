//! Writes a graph as Mermaid text.

use std::fmt::Write as _;

use durable_core::Kind;

use super::model::{Drawing, Node, State};

pub(super) fn write(drawing: &Drawing) -> String {
    let mut page = Page {
        text: "flowchart TB\n".to_owned(),
        nodes: 0,
        classes: Vec::new(),
    };
    for handler in &drawing.handlers {
        page.node(handler, 1);
    }
    if drawing.is_overlaid {
        page.states();
    }
    page.text
}

struct Page {
    text: String,
    nodes: usize,
    /// Number and state of each node.
    classes: Vec<(usize, State)>,
}

impl Page {
    /// Writes a node and returns its number.
    fn node(&mut self, node: &Node, depth: usize) -> usize {
        let number = self.nodes;
        self.nodes += 1;
        self.classes.push((number, node.state));
        let indent = "  ".repeat(depth);
        let label = label(node);
        if node.nested.is_empty() && node.kind.is_some() {
            let (open, close) = shape(node.kind);
            let _ = writeln!(self.text, "{indent}n{number}{open}\"{label}\"{close}");
            return number;
        }
        let _ = writeln!(self.text, "{indent}subgraph n{number}[\"{label}\"]");
        let mut before = None;
        for inner in &node.nested {
            let next = self.node(inner, depth + 1);
            if let Some(before) = before.filter(|_| !node.concurrent) {
                let _ = writeln!(self.text, "{indent}  n{before} --> n{next}");
            }
            before = Some(next);
        }
        let _ = writeln!(self.text, "{indent}end");
        number
    }

    fn states(&mut self) {
        for state in State::ALL {
            let of_state = self.classes.iter().filter(|(_, of)| *of == state);
            let nodes: Vec<String> = of_state.map(|(number, _)| format!("n{number}")).collect();
            if nodes.is_empty() {
                continue;
            }
            let (word, (fill, stroke, text)) = (state.word(), state.colours());
            let nodes = nodes.join(",");
            let _ = writeln!(
                self.text,
                "  classDef {word} fill:{fill},stroke:{stroke},color:{text}\n  class {nodes} {word}"
            );
        }
    }
}

/// Returns the delimiters of a label that give a node the shape of its kind.
fn shape(kind: Option<Kind>) -> (&'static str, &'static str) {
    match kind {
        Some(Kind::Wait) => ("([", "])"),
        Some(Kind::Callback) => ("{{", "}}"),
        Some(Kind::Invoke | Kind::Call) => ("[[", "]]"),
        Some(Kind::Record) => ("[/", "/]"),
        Some(Kind::Poll) => ("(", ")"),
        _ => ("[", "]"),
    }
}

fn label(node: &Node) -> String {
    let kind = node.kind.map_or("handler", Kind::as_str);
    let note = match node.note.as_str() {
        "" => String::new(),
        note => format!("<br/>{}", escaped(note)),
    };
    format!("{kind} {}{note}", escaped(&node.title))
}

/// Escapes special characters as Mermaid entities, which begin with `#` instead of `&`.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '<' | '>' | '#' | '&' | '`' | ';' => {
                let _ = write!(escaped, "#{};", u32::from(character));
            }
            character => escaped.push(character),
        }
    }
    escaped
}
