//! Expands every durable function in this repository's code, guides and documentation, and requires that none of them is
//! refused.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use syn::visit::{self, Visit};
use syn::{File, ItemFn, Meta};

use crate::refusals::codes_in;
use crate::transform;

/// Fewer functions than this mean that the search is broken.
const MIN_HANDLERS: usize = 450;

#[test]
fn no_durable_function_of_the_repository_is_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let mut handlers = 0;
    let mut refused = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        for source in sources(&path, &text) {
            let mut found = Handlers::default();
            found.visit_file(&source);
            handlers += found.0.len();
            for function in found.0 {
                let codes = codes_in(&expand(function.clone()));
                if !codes.is_empty() {
                    refused.push(format!(
                        "{}: {} {codes:?}",
                        path.display(),
                        function.sig.ident
                    ));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(
        handlers >= MIN_HANDLERS,
        "{handlers} durable functions found"
    );
}

/// Collects source files and Markdown pages, except for the compile-fail cases.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_ours = !name.starts_with('.') && name != "target" && !path.is_symlink();
            let is_ours = is_ours && !path.ends_with("ui/fail");
            if is_ours {
                collect(&path, files);
            }
        } else if name.ends_with(".rs") || name.ends_with(".md") {
            files.push(path);
        }
    }
}

/// Parses a source file and the code blocks in its documentation, or the code blocks of a page. Skips what does not parse.
fn sources(path: &Path, text: &str) -> Vec<File> {
    let mut found = Vec::new();
    if path.extension().is_some_and(|kind| kind == "rs") {
        found.extend(syn::parse_file(text));
        let comments: Vec<&str> = text
            .lines()
            .map(|line| {
                let line = line.trim_start();
                let comment = line
                    .strip_prefix("//!")
                    .or_else(|| line.strip_prefix("///"));
                let comment = comment.unwrap_or_default();
                comment.strip_prefix(' ').unwrap_or(comment)
            })
            .collect();
        found.extend(code_blocks(&comments.join("\n")));
    } else {
        found.extend(code_blocks(text));
    }
    found
}

/// The Rust code blocks of a page.
fn code_blocks(page: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(_), Some(code)) => {
                // A block that is not a file is the body of a function.
                let wrapped = format!("fn main() {{ {code} }}");
                found.extend(syn::parse_file(code).or_else(|_| syn::parse_file(&wrapped)));
                block = None;
            }
            (Some(words), None) => {
                let skipped = words.contains("compile_fail") || words.contains("text");
                block = Some(String::new()).filter(|_| !skipped);
                if skipped {
                    // Text that does not parse, so that the block is skipped.
                    block = Some("%".to_owned());
                }
            }
            (None, Some(code)) => {
                let shown = line.strip_prefix("# ").unwrap_or(line);
                code.push_str(if shown == "#" { "" } else { shown });
                code.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Collects the functions with `#[durable]`.
#[derive(Default)]
struct Handlers(Vec<ItemFn>);

fn is_durable(attribute: &syn::Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "durable")
}

impl<'ast> Visit<'ast> for Handlers {
    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        if function.attrs.iter().any(is_durable) {
            self.0.push(function.clone());
        }
        visit::visit_item_fn(self, function);
    }
}

fn expand(mut function: ItemFn) -> TokenStream {
    let at = function.attrs.iter().position(is_durable).unwrap();
    let arguments = match function.attrs.remove(at).meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    transform(arguments, quote::quote!(#function))
}
