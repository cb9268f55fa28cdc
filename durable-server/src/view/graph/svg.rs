//! Writes a graph as an SVG image of nested boxes, laid out without a library and without scripts.

use std::fmt::Write as _;

use durable_core::Kind;

use super::model::{Drawing, Node, State};

/// Width of a character of the title, and of the smaller note.
const CHARACTER: f64 = 7.8;
const SMALL_CHARACTER: f64 = 6.6;
/// Height of a box without a note, and the height that a note adds.
const LINE: f64 = 34.0;
const NOTE: f64 = 16.0;
/// Space between boxes, which has room for an arrow, and padding within a box.
const GAP: f64 = 24.0;
const PAD: f64 = 14.0;
/// Offset of the second box of a call site that runs many times.
const SHADOW: f64 = 4.0;

/// Box with its position and size.
struct Shape<'a> {
    node: &'a Node,
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    nested: Vec<Shape<'a>>,
}

/// How boxes get their colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    /// As attributes.
    Fixed,
    /// From a style sheet, by classes.
    Classes,
}

impl Paint {
    fn node(self, state: State) -> String {
        match self {
            Self::Fixed => {
                let (fill, stroke, _) = state.colours();
                format!("fill=\"{fill}\" stroke=\"{stroke}\"")
            }
            Self::Classes => format!("class=\"node {}\"", state.word()),
        }
    }

    fn ink(self, state: State) -> String {
        match self {
            Self::Fixed => format!("fill=\"{}\"", state.colours().2),
            Self::Classes => format!("class=\"ink {}\"", state.word()),
        }
    }

    const fn arrow(self, attribute: &'static str) -> (&'static str, &'static str) {
        match self {
            Self::Fixed => (attribute, "#57606a"),
            Self::Classes => ("class", "arrow"),
        }
    }
}

pub(super) fn write(drawing: &Drawing, paint: Paint) -> String {
    let mut shapes: Vec<Shape<'_>> = drawing.handlers.iter().map(Shape::sized).collect();
    let (mut x, mut height) = (PAD, 0.0_f64);
    for shape in &mut shapes {
        shape.move_to(x, PAD);
        x += shape.width + GAP;
        height = height.max(shape.height);
    }
    let has_legend = drawing.is_overlaid && paint == Paint::Fixed;
    let legend = if has_legend { LINE } else { 0.0 };
    let (mut width, height) = (x - GAP + PAD, height + 2.0 * PAD + legend);
    if has_legend {
        width = width.max(State::ALL.len() as f64 * 110.0 + 2.0 * PAD);
    }
    let (about, background) = match paint {
        Paint::Fixed => (
            "xmlns=\"http://www.w3.org/2000/svg\"",
            "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        ),
        Paint::Classes => (
            "class=\"graph\" role=\"img\" aria-label=\"Graph of the operations\"",
            "",
        ),
    };
    let (name, colour) = paint.arrow("fill");
    let mut page = format!(
        "<svg {about} width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-monospace, monospace\" font-size=\"13\">\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" {name}=\"{colour}\"/></marker></defs>\n\
         {background}"
    );
    shapes
        .iter()
        .for_each(|shape| shape.write(&mut page, paint));
    if has_legend {
        write_legend(&mut page, height - legend);
    }
    page.push_str("</svg>\n");
    page
}

impl<'a> Shape<'a> {
    /// Computes the size of a box at the origin and the positions of the boxes in it.
    fn sized(node: &'a Node) -> Self {
        let mut nested: Vec<Self> = node.nested.iter().map(Self::sized).collect();
        let text = (title(node).chars().count() as f64 * CHARACTER)
            .max(node.note.chars().count() as f64 * SMALL_CHARACTER);
        let head = LINE + if node.note.is_empty() { 0.0 } else { NOTE };
        let widest = nested.iter().map(|shape| shape.width).fold(0.0, f64::max);
        let gaps = GAP * nested.len().saturating_sub(1) as f64;
        let (inner_width, inner_height) = if node.concurrent {
            let heights = nested.iter().map(|shape| shape.height);
            let widths: f64 = nested.iter().map(|shape| shape.width).sum();
            (widths + gaps, heights.fold(0.0, f64::max))
        } else {
            let heights: f64 = nested.iter().map(|shape| shape.height).sum();
            (widest, heights + gaps)
        };
        let width = text.max(inner_width) + 2.0 * PAD;
        let (mut x, mut y) = ((width - inner_width) / 2.0, head);
        for shape in &mut nested {
            if node.concurrent {
                shape.move_to(x, y);
                x += shape.width + GAP;
            } else {
                shape.move_to((width - shape.width) / 2.0, y);
                y += shape.height + GAP;
            }
        }
        let height = if nested.is_empty() {
            head
        } else {
            head + inner_height + PAD
        };
        Self {
            node,
            x: 0.0,
            y: 0.0,
            width,
            height,
            nested,
        }
    }

    fn move_to(&mut self, x: f64, y: f64) {
        let (right, down) = (x - self.x, y - self.y);
        (self.x, self.y) = (x, y);
        for shape in &mut self.nested {
            let (x, y) = (shape.x + right, shape.y + down);
            shape.move_to(x, y);
        }
    }

    fn write(&self, page: &mut String, paint: Paint) {
        self.write_box(page, paint);
        self.write_label(page, paint);
        self.nested
            .iter()
            .for_each(|shape| shape.write(page, paint));
        if !self.node.concurrent {
            self.write_arrows(page, paint);
        }
    }

    fn write_box(&self, page: &mut String, paint: Paint) {
        let colours = paint.node(self.node.state);
        let radius = match self.node.kind {
            Some(Kind::Wait) => LINE / 2.0,
            Some(Kind::Step | Kind::Record | Kind::Batch) => 3.0,
            _ => 8.0,
        };
        let dashed = match self.node.kind {
            Some(Kind::Callback | Kind::Invoke) => " stroke-dasharray=\"5 3\"",
            _ => "",
        };
        let (x, y, width, height) = (self.x, self.y, self.width, self.height);
        if self.node.is_repeated() {
            // A second box behind the first shows that the call site runs many times.
            let _ = writeln!(
                page,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\" \
                 {colours}/>",
                x + SHADOW,
                y + SHADOW
            );
        }
        let _ = writeln!(
            page,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{radius}\" \
             {colours}{dashed}/>"
        );
    }

    fn write_label(&self, page: &mut String, paint: Paint) {
        let (node, y) = (self.node, self.y);
        let ink = paint.ink(node.state);
        let middle = self.x + self.width / 2.0;
        let _ = writeln!(
            page,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" {ink}>{}</text>",
            y + 21.0,
            title_marked(node, paint)
        );
        if !node.note.is_empty() {
            let _ = writeln!(
                page,
                "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"11\" \
                 {ink}>{}</text>",
                y + 37.0,
                escaped(&node.note)
            );
        }
    }

    /// Writes the arrows between boxes that run one after the other.
    fn write_arrows(&self, page: &mut String, paint: Paint) {
        let (name, colour) = paint.arrow("stroke");
        for pair in self.nested.windows(2) {
            let [from, to] = pair else { continue };
            let middle = from.x + from.width / 2.0;
            let shadow = if from.node.is_repeated() { SHADOW } else { 0.0 };
            let (start, end) = (from.y + from.height + shadow, to.y);
            let _ = writeln!(
                page,
                "<path d=\"M{middle:.1} {start:.1}V{end:.1}\" {name}=\"{colour}\" \
                 marker-end=\"url(#arrow)\"/>"
            );
        }
    }
}

fn write_legend(page: &mut String, y: f64) {
    for (index, state) in State::ALL.into_iter().enumerate() {
        let (fill, stroke, colour) = state.colours();
        let x = PAD + index as f64 * 110.0;
        let _ = writeln!(
            page,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"14\" height=\"14\" rx=\"3\" fill=\"{fill}\" \
             stroke=\"{stroke}\"/><text x=\"{:.1}\" y=\"{:.1}\" font-size=\"11\" fill=\"{colour}\">{}</text>",
            y + 8.0,
            x + 20.0,
            y + 19.0,
            state.word()
        );
    }
}

fn kind_of(node: &Node) -> &'static str {
    node.kind.map_or("handler", Kind::as_str)
}

fn title(node: &Node) -> String {
    format!("{} {}", kind_of(node), node.title)
}

/// Formats the title with its kind in a fainter colour.
fn title_marked(node: &Node, paint: Paint) -> String {
    let faint = match paint {
        Paint::Fixed => " fill-opacity=\"0.65\"",
        // A page needs the whole contrast.
        Paint::Classes => "",
    };
    format!(
        "<tspan{faint}>{}</tspan> <tspan font-weight=\"600\">{}</tspan>",
        kind_of(node),
        escaped(&node.title)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
