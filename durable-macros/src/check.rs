//! Every rule that follows from the model: the signature's, and those of call sites among each other.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Ident, LitStr, Type};

use crate::args::Args;
use crate::cfg;
use crate::function::{Function, is_reference};
use crate::rules::{Report, Rule};
use crate::scan;
use crate::sites::{Kind, Name, Refused, Repeat, Site};

const MAX_NAME: usize = 100;

/// Checks attribute and signature. Without a valid signature no body can be printed.
pub(crate) fn signature(function: &Function, args: &Args, report: &mut Report) -> bool {
    for text in args.name.iter().chain(&args.version).chain(&args.was) {
        name(&text.value(), text, report);
    }
    if args.name.is_none() {
        name(&handler_name(function, args), &function.name, report);
    }
    let signature = &function.signature;
    let mut refuse =
        |tokens: TokenStream, message: &str| report.add(Rule::Signature.error(tokens, message));
    let mut valid = true;
    if signature.asyncness.is_none() {
        refuse(
            signature.fn_token.to_token_stream(),
            "a durable function is async: write `async fn`",
        );
    }
    let mut fatal = |tokens: TokenStream, message: &str| {
        valid = false;
        refuse(tokens, message);
    };
    if let Some(receiver) = signature.receiver() {
        let message = "a durable function takes no `self`: write a free function that takes the state by reference";
        fatal(receiver.to_token_stream(), message);
    }
    if !signature.generics.params.is_empty() {
        let message = "a durable function is found by name when it resumes, so it cannot be generic: write one function \
                       per concrete type, or an enum (and leave lifetimes out)";
        fatal(signature.generics.params.to_token_stream(), message);
    }
    for (tokens, what) in [
        (signature.unsafety.to_token_stream(), "unsafe"),
        (signature.constness.to_token_stream(), "const"),
        (signature.abi.to_token_stream(), "extern"),
        (signature.variadic.to_token_stream(), "variadic"),
    ] {
        if !tokens.is_empty() {
            fatal(
                tokens,
                &format!("a durable function cannot be {what}: remove this"),
            );
        }
    }
    for tokens in impl_traits(function) {
        fatal(
            tokens,
            "values here are stored and read back, so their type must be written out instead of `impl Trait`",
        );
    }
    parameters(function, &mut fatal);
    if function.output.is_none() {
        let message =
            "a durable function can fail: give it a return type, such as `-> Result<(), BoxError>`";
        fatal(signature.ident.to_token_stream(), message);
    }
    valid
}

fn parameters(function: &Function, fatal: &mut impl FnMut(TokenStream, &str)) {
    for param in function.params() {
        match &*param.ty {
            Type::Reference(one) if one.mutability.is_some() => {
                fatal(
                    param.ty.to_token_stream(),
                    "the state is shared by every execution: take it as `&State`",
                );
            }
            Type::Reference(one) if one.lifetime.is_some() && function.generics().is_empty() => {
                fatal(
                    one.lifetime.to_token_stream(),
                    "leave the lifetime out: the state is borrowed for one run",
                );
            }
            Type::Reference(one) if is_unsized(&one.elem) => {
                let message = "the state must have a size: put it into a struct and take `&State`";
                fatal(param.ty.to_token_stream(), message);
            }
            _ => {}
        }
    }
    if let Some(second) = function.params().filter(|param| is_reference(param)).nth(1) {
        let message =
            "a durable function takes one reference, its shared state: put both into one struct";
        fatal(second.to_token_stream(), message);
    }
    if let Some(second) = function
        .params()
        .filter(|param| !is_reference(param))
        .nth(1)
    {
        let message = "a durable function takes one value, its stored input: put both into one struct or tuple";
        fatal(second.to_token_stream(), message);
    }
}

fn is_unsized(ty: &Type) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) => true,
        Type::Path(one) => one.path.is_ident("str"),
        _ => false,
    }
}

fn impl_traits(function: &Function) -> Vec<TokenStream> {
    #[derive(Default)]
    struct Finder(Vec<TokenStream>);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, one: &'ast syn::TypeImplTrait) {
            self.0.push(one.to_token_stream());
        }
    }
    let mut finder = Finder::default();
    visit::visit_signature(&mut finder, &function.signature);
    finder.0
}

/// The name a handler is stored under.
pub(crate) fn handler_name(function: &Function, args: &Args) -> String {
    let own = || syn::ext::IdentExt::unraw(&function.name).to_string();
    args.name.as_ref().map_or_else(own, LitStr::value)
}

fn name(text: &str, tokens: impl ToTokens, report: &mut Report) {
    let wrong = if text.is_empty() || text.len() > MAX_NAME {
        format!(
            "has {} characters, 1 to {MAX_NAME} are allowed",
            text.chars().count()
        )
    } else if let Some(other) = text.chars().find(|one| !(' '..='~').contains(one)) {
        format!("contains {other:?}, printable ASCII is allowed")
    } else if let Some(reserved) = text.chars().find(|one| "/[]#".contains(*one)) {
        format!("contains `{reserved}`, which separates names in histories")
    } else {
        return;
    };
    report.add(Rule::Name.error(tokens, format!("the name {wrong}")));
}

/// Checks every call site by itself and against the others.
pub(crate) fn sites(sites: &[Site], report: &mut Report) {
    for (index, site) in sites.iter().enumerate() {
        site.call
            .wrong
            .iter()
            .for_each(|error| report.add(error.clone()));
        if let Some(error) = site.call.broken.clone().or_else(|| misplaced(site)) {
            report.replace_site(index, error);
        } else if site.call.kind.is_recorded() {
            one_site(site, report);
            jumps(index, site, report);
        }
    }
    duplicates(sites, report);
    renamed(sites, report);
}

fn misplaced(site: &Site) -> Option<syn::Error> {
    let form = site.call.kind.name();
    let (rule, message) = match site.place.refused? {
        Refused::Body(_) if !site.call.kind.is_recorded() => return None,
        Refused::Body(around) => {
            let around = around.name();
            let message = format!(
                "`{form}!` inside the body of a `{around}!`: that body runs once and is skipped on replay; move it \
                 out, or make the outer one a `scope!`"
            );
            (Rule::InBody, message)
        }
        Refused::Item => {
            let message = format!(
                "`{form}!` in an item of its own: only the durable function itself can make durable calls; make the \
                 item a `#[durable]` function and use `call!`"
            );
            (Rule::InItem, message)
        }
        Refused::Spawned => {
            let message = format!(
                "`{form}!` in a spawned task, which replay cannot follow: await it here, together with others by \
                 `join!` or `join_all`"
            );
            (Rule::Spawned, message)
        }
    };
    Some(rule.error(&site.call.path, message))
}

fn one_site(site: &Site, report: &mut Report) {
    let form = site.call.kind.name();
    if site.place.unawaited {
        let message =
            format!("`{form}!` does nothing until it is awaited: write `{form}!(…).await`");
        report.add(Rule::NotAwaited.error(&site.call.path, message));
    }
    match &site.call.name {
        Some(given) => name(&given.text, &given.tokens, report),
        None => {
            let message =
                format!("no name follows from what this calls: write `{form}!(\"name\", …)`");
            report.add(Rule::Name.error(&site.call.path, message));
        }
    }
    repetition(site, report);
}

/// A site that runs many times says what tells its runs apart.
fn repetition(site: &Site, report: &mut Report) {
    let options = &site.call.options;
    let form = site.call.kind.name();
    let keyed = options.get("key").is_some();
    if let Some(ordered) = options.get("ordered") {
        if keyed {
            report.add(Rule::Option.error(&ordered.name, "give `key` or `ordered`, not both"));
        } else if site.place.concurrent {
            let message = "in a closure or async block turns may be taken in another order on replay: use `key = …`";
            report.add(Rule::Ordered.error(&ordered.name, message));
        }
        return;
    }
    let Some(repeat) = site.place.repeat.filter(|_| !keyed) else {
        return;
    };
    if site.call.kind != Kind::Wait {
        let around = match repeat {
            Repeat::Loop => "loop",
            Repeat::Closure => "closure",
        };
        let ordered = if site.place.concurrent {
            ""
        } else {
            ", or `ordered` if its turn is its identity"
        };
        let message = format!(
            "`{form}!` in a {around} runs many times: say what tells its runs apart with `key = …`{ordered}"
        );
        report.add(Rule::Repeat.error(&site.call.path, message));
    } else if site.place.concurrent {
        let message = "a repeated `wait!` in a closure or async block needs `key = …`: turns may be taken in another \
                       order on replay";
        report.add(Rule::Ordered.error(&site.call.path, message));
    }
}

fn jumps(index: usize, site: &Site, report: &mut Report) {
    let Some(body) = site
        .call
        .body
        .as_ref()
        .filter(|_| site.call.kind.skips_body())
    else {
        return;
    };
    for tokens in scan::jumps_out(body) {
        let message = format!(
            "`{tokens}` cannot leave the body of `{}!`, which is skipped on replay: return a value and decide on it \
             outside",
            site.call.kind.name()
        );
        report.replace_site(index, Rule::Jump.error(tokens, message));
    }
}

/// Call sites with a place in the history, by scope and name, in the order of the source.
type Names<'a> = HashMap<(Option<usize>, &'a str), Vec<(&'a Site, &'a Name)>>;

fn by_name(sites: &[Site]) -> Names<'_> {
    let mut names = Names::new();
    let recorded = sites.iter().filter(|site| {
        site.call.kind.is_recorded() && site.call.broken.is_none() && site.place.refused.is_none()
    });
    for site in recorded {
        if let Some(name) = &site.call.name {
            names
                .entry((site.place.scope, name.text.as_str()))
                .or_default()
                .push((site, name));
        }
    }
    names
}

fn duplicates(sites: &[Site], report: &mut Report) {
    let names = by_name(sites);
    for site in sites {
        let Some(name) = &site.call.name else {
            continue;
        };
        let alike = names
            .get(&(site.place.scope, name.text.as_str()))
            .map_or(&[][..], Vec::as_slice);
        let Some(own) = alike
            .iter()
            .position(|(other, _)| std::ptr::eq(*other, site))
        else {
            continue;
        };
        let meets =
            |(other, _): &&(&Site, &Name)| !cfg::exclusive(&other.place.cfgs, &site.place.cfgs);
        if let Some((_, first)) = alike[..own].iter().find(meets) {
            let line = first.tokens.span().start().line;
            let text = &name.text;
            let message = format!(
                "the name \"{text}\" is taken by the call site in line {line}: a name is what replay looks up, so give \
                 one of them another: `{}!(\"other name\", …)`",
                site.call.kind.name()
            );
            report.add(Rule::Duplicate.error(&name.tokens, message));
        }
    }
}

fn renamed(sites: &[Site], report: &mut Report) {
    let names = by_name(sites);
    for site in sites {
        for old in site.call.options.texts("was") {
            let text = old.value();
            name(&text, old, report);
            let live = names
                .get(&(site.place.scope, text.as_str()))
                .map_or(&[][..], Vec::as_slice);
            // Its own name is what a site says that moved into or out of a loop.
            let meets = |(other, _): &&(&Site, &Name)| {
                !std::ptr::eq(*other, site) && !cfg::exclusive(&other.place.cfgs, &site.place.cfgs)
            };
            if let Some((_, other)) = live.iter().find(meets) {
                let line = other.tokens.span().start().line;
                let message = format!(
                    "\"{text}\" is still the name of the call site in line {line}: `was` takes a name that is no \
                     longer used"
                );
                report.add(Rule::Was.error(old, message));
            }
        }
    }
}

/// Whether `ty` names one of these generic parameters or is no type by itself.
pub(crate) fn is_self_contained(ty: &Type, generics: &[&Ident]) -> bool {
    struct Finder<'a>(&'a [&'a Ident], bool);
    impl<'ast> Visit<'ast> for Finder<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            self.1 |= self.0.contains(&ident) || ident == "Self";
        }
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.1 = true;
        }
        fn visit_type_reference(&mut self, one: &'ast syn::TypeReference) {
            self.1 |= one.lifetime.is_none();
            visit::visit_type_reference(self, one);
        }
    }
    let mut finder = Finder(generics, false);
    finder.visit_type(ty);
    !finder.1
}
