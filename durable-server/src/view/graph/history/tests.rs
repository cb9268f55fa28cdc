use durable_core::store::{Execution, NewExecution};
use durable_core::{Kind, Occurrence, OperationId, Payload, Record, Status, Timestamp};

use crate::view::graph::{Drawing, Graph, GraphNode};

/// Records of an execution in the order in which they are added.
#[derive(Default)]
struct History(Vec<Record>);

impl History {
    fn add(
        &mut self,
        parent: OperationId,
        kind: Kind,
        name: &str,
        key: Option<&str>,
    ) -> OperationId {
        let occurrence = key.map_or(Occurrence::Once, |key| Occurrence::Keyed(key.into()));
        let id = OperationId::of(parent, name, &occurrence);
        let seq = self.0.len() as u64 + 1;
        let started = Timestamp::default();
        let mut record =
            Record::started(seq, id, parent, kind, name.to_owned(), occurrence, started);
        record.status = Status::Succeeded;
        self.0.push(record);
        id
    }

    fn graph(&self) -> Vec<GraphNode> {
        Graph::new(&self.drawing(), false).nodes
    }

    fn drawing(&self) -> Drawing {
        let id = "e-1".parse().unwrap();
        let new = NewExecution::new(id, "etl", Payload::json("1"), Timestamp::default());
        Drawing::of_history(&Execution::queued(new), &self.0)
    }
}

/// A node on one line, with those in it.
fn line(node: &GraphNode) -> String {
    let nested: Vec<String> = node.nested.iter().map(line).collect();
    let inner = match nested.is_empty() {
        true => String::new(),
        false => format!(" ({})", nested.join(" → ")),
    };
    format!("{} {}: {}{inner}", node.kind, node.name, node.note)
}

#[test]
fn loops_are_one_node_with_their_number() {
    let mut history = History::default();
    history.add(OperationId::ROOT, Kind::Step, "list", None);
    let files = history.add(OperationId::ROOT, Kind::Map, "files", None);
    for key in ["a", "b", "c"] {
        let item = history.add(files, Kind::Branch, "item", Some(key));
        history.add(item, Kind::Step, "parse", None);
    }
    history.0.last_mut().unwrap().status = Status::Failed;
    history.add(OperationId::ROOT, Kind::Wait, "pause", None);
    let graph = history.graph();
    let lines: Vec<String> = graph.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "step list: succeeded",
            "map files: succeeded (branch item[key]: 3 succeeded (step parse: 2 succeeded, 1 failed))",
            "wait pause: succeeded",
        ]
    );
    assert_eq!(graph[1].nested[0].nested[0].state, "failed");
}

#[test]
fn deep_and_large_histories_are_cut() {
    let mut history = History::default();
    let mut parent = OperationId::ROOT;
    for _ in 0..1000 {
        parent = history.add(parent, Kind::Scope, "again", None);
    }
    let mut depth = 0;
    let graph = history.graph();
    let mut nodes = &graph;
    while let Some(node) = nodes.first() {
        (nodes, depth) = (&node.nested, depth + 1);
    }
    assert_eq!(depth, super::DEEPEST + 1);
    let mut history = History::default();
    for n in 0..2000 {
        history.add(OperationId::ROOT, Kind::Step, &format!("step {n}"), None);
    }
    assert_eq!(history.graph().len(), super::MOST);
}

#[test]
fn the_element_of_a_page_has_classes_and_no_colours() {
    let mut history = History::default();
    history.add(OperationId::ROOT, Kind::Step, "<b>", None);
    history.add(OperationId::ROOT, Kind::Step, "next", None);
    let svg = history.drawing().inline_svg();
    assert!(svg.contains("class=\"node succeeded\"") && svg.contains("class=\"ink succeeded\""));
    assert!(svg.contains("&lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    assert!(!svg.contains("\"#5") && !svg.contains("style="), "{svg}");
}
