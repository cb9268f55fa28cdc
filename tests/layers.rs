//! Checks the direction of `use` between the folders of the core: a layer may only name the layers below it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of `durable-core/src`, lowest first. Folders on one line do not name each other.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["store"],
    &["engine", "conformance", "transaction"],
    &["runtime"],
    &["run", "lock"],
    &["client", "private"],
    &["schedule"],
    &["worker"],
    &["testing"],
];

/// Files that name no other part of the crate.
const LEAVES: &[&str] = &["handler", "metrics", "replay", "signal"];

/// Exported macros, which belong to the root of the crate.
const MACROS: &[&str] = &["names", "__handler", "__site"];

/// Layers whose files must also name each other in one direction only.
const ORDERED_LAYERS: &[&str] = &["model", "runtime"];

#[test]
fn a_layer_names_only_layers_below_it() {
    let mut wrong = Vec::new();
    for source in Source::all() {
        for path in &source.paths {
            let (from, to) = (&source.module[0], &path[0]);
            if from != to && rank(to) >= rank(from) {
                wrong.push(format!(
                    "{} names crate::{}",
                    source.file.display(),
                    path.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_of_a_layer_name_each_other_in_one_direction() {
    for layer in ORDERED_LAYERS {
        let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for source in Source::all() {
            let [in_layer, file, ..] = &*source.module else {
                continue;
            };
            if in_layer != layer {
                continue;
            }
            let named = source.paths.iter().filter(|path| path[0] == *layer);
            let named = named.filter_map(|path| path.get(1).filter(|other| *other != file));
            names
                .entry(file.clone())
                .or_default()
                .extend(named.cloned());
        }
        assert!(!names.is_empty(), "`{layer}` has no files");
        // Remove files that name none of the remaining files, until nothing remains.
        while !names.is_empty() {
            let leaf = names
                .iter()
                .find(|(_, named)| named.iter().all(|file| !names.contains_key(file)));
            let Some(leaf) = leaf.map(|(file, _)| file.clone()) else {
                panic!("files of `{layer}` name each other in a cycle: {names:#?}");
            };
            names.remove(&leaf);
        }
    }
}

fn rank(module: &str) -> usize {
    if LEAVES.contains(&module) {
        return 0;
    }
    let layer = LAYERS.iter().position(|layer| layer.contains(&module));
    layer.unwrap_or_else(|| panic!("`{module}` is missing from LAYERS"))
}

struct Source {
    file: PathBuf,
    /// The module path of the file, such as `runtime::operation::step`.
    module: Vec<String>,
    /// Every path of the crate that it names, resolved to the module that defines the item.
    paths: Vec<Vec<String>>,
}

impl Source {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../durable-core/src");
        let exports = exports(&fs::read_to_string(root.join("lib.rs")).unwrap());
        let mut files = Vec::new();
        collect(&root, &mut files);
        files.sort();
        let mut sources: Vec<_> = files
            .iter()
            .filter_map(|file| Self::read(&root, file, &exports))
            .collect();
        sources.sort_by(|a, b| a.file.cmp(&b.file));
        assert!(
            sources.len() > 100,
            "found too few source files in {}",
            root.display()
        );
        sources
    }

    /// Reads a source file. Returns `None` for the root of the crate and for unit tests, which may name anything.
    fn read(root: &Path, file: &Path, exports: &BTreeMap<String, Vec<String>>) -> Option<Self> {
        let relative = file.strip_prefix(root).unwrap().to_owned();
        let mut module: Vec<String> = relative
            .with_extension("")
            .iter()
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        if module
            .iter()
            .any(|part| part == "lib" || part.ends_with("tests"))
        {
            return None;
        }
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        let text = fs::read_to_string(file).unwrap();
        let code: String = text
            .lines()
            .filter_map(|line| line.split("//").next())
            .collect::<Vec<_>>()
            .join("\n");
        // Drop the unit tests at the end of the file.
        let code = code
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default();
        let paths = named(code)
            .into_iter()
            .filter_map(|path| absolute(&module, &path))
            .map(
                |path| match path.first().and_then(|first| exports.get(first)) {
                    Some(home) => home.iter().chain(&path).cloned().collect(),
                    None => path,
                },
            )
            .filter(|path| !MACROS.contains(&&*path[0]))
            .collect();
        Some(Self {
            file: relative,
            module,
            paths,
        })
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Items that the root re-exports, with the module path of each.
fn exports(lib: &str) -> BTreeMap<String, Vec<String>> {
    let uses = lib
        .split("pub use ")
        .skip(1)
        .filter_map(|rest| rest.split(';').next());
    let paths = uses.flat_map(expand);
    paths
        .filter_map(|mut path| Some((path.pop()?, path)))
        .collect()
}

/// All paths that start with `crate` or `super`.
fn named(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c == '$' || c == ':' || c == '_' || c.is_alphanumeric()) {
                continue;
            }
            let end = code[at..].find(';').map_or(code.len(), |end| at + end);
            let is_use = code[..at].trim_end().ends_with("use");
            if is_use {
                paths.extend(expand(&code[at..end]));
            } else {
                let path: String = code[at..]
                    .chars()
                    .take_while(|c| *c == ':' || *c == '_' || c.is_alphanumeric())
                    .collect();
                paths.extend(expand(&path));
            }
        }
    }
    paths
}

/// Expands `a::{b, c::d}` to `a::b` and `a::c::d`.
fn expand(text: &str) -> Vec<Vec<String>> {
    let text = text.replace(" as ", "::as::");
    let text: String = text.split_whitespace().collect();
    let split = |path: &str| -> Vec<String> {
        let parts = path.split("::").take_while(|part| *part != "as");
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let Some((before, group)) = text.split_once('{') else {
        return vec![split(&text)];
    };
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut items, mut item) = (0, Vec::new(), String::new());
    for c in group.chars().chain([',']) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !item.is_empty() {
                    items.extend(expand(&format!("{before}{item}")));
                }
                item.clear();
                continue;
            }
            _ => {}
        }
        item.push(c);
    }
    items
}

/// Resolves a path to a path from the root of the crate, without `crate`.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let path = match ups {
        0 => path[1..].to_vec(),
        _ => {
            let parent = &module[..module.len().checked_sub(ups)?];
            parent.iter().chain(&path[ups..]).cloned().collect()
        }
    };
    (!path.is_empty()).then_some(path)
}
