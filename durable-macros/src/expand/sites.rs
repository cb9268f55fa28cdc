//! Prints the table of call sites, and the expressions that register their operations.

use proc_macro2::{Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::Expr;

use super::{Printer, hidden, located};
use crate::former_path;
use crate::sites::{Call, Kind, Site};

fn first_span(tokens: impl ToTokens) -> Span {
    tokens
        .into_token_stream()
        .into_iter()
        .next()
        .map_or_else(hidden, |tree| tree.span())
}

impl Printer<'_> {
    /// The entries of the table: one for each call site that has a record in the history.
    pub(super) fn table(&self) -> Vec<TokenStream> {
        let vacated = former_path::vacated(self.sites);
        let sites = self.sites.iter().zip(vacated).enumerate();
        sites
            .filter_map(|(index, (site, vacated))| {
                let mut entry = self.table_entry(index, site)?;
                if vacated {
                    entry.extend(quote_spanned!(hidden()=> .vacated()));
                }
                Some(entry)
            })
            .collect()
    }

    /// Index of a call site in the table.
    fn table_index(&self, index: usize) -> usize {
        self.sites
            .iter()
            .take(index)
            .filter(|site| site.call.kind.is_recorded())
            .count()
    }

    /// One entry of the table of call sites.
    fn table_entry(&self, index: usize, site: &Site) -> Option<TokenStream> {
        let Site { call, place } = site;
        let kind = recorded_kind(call)?;
        let name = call.name.as_ref().map_or("", |name| name.text.as_str());
        // At the user's span, `line!()` in `site!` yields the user's line.
        let user = first_span(&call.path);
        let mut entry = quote_spanned!(user=> __p::site!(#kind, #name));
        let mut add = |flag: bool, method: TokenStream| {
            if flag {
                entry.extend(method);
            }
        };
        let keyed = call.keyed || call.key().is_some();
        add(keyed, quote_spanned!(hidden()=> .keyed()));
        let repeats = place.repeat.is_some() || call.kind == Kind::Branch;
        let ordered = call.options.flag("ordered") || repeats;
        add(ordered && !keyed, quote_spanned!(hidden()=> .ordered()));
        if let Some(scope) = place.scope {
            let scope = Literal::usize_unsuffixed(self.table_index(scope));
            add(true, quote_spanned!(hidden()=> .within(#scope)));
        }
        add(place.concurrent, quote_spanned!(hidden()=> .concurrent()));
        add(
            call.secret || call.options.flag("secret"),
            quote_spanned!(hidden()=> .secret()),
        );
        add(
            self.undoes(index).is_some(),
            quote_spanned!(hidden()=> .undoes()),
        );
        let was = call.options.texts("was");
        add(
            !was.is_empty(),
            quote_spanned!(hidden()=> .was(&[#(#was),*])),
        );
        Some(entry)
    }

    /// The condition under which replays enter the finished scope `index` to register undo bodies. `None` if it contains
    /// no steps that can be undone.
    pub(super) fn undoes(&self, index: usize) -> Option<TokenStream> {
        let kind = self.sites.get(index)?.call.kind;
        if !matches!(
            kind,
            Kind::Scope | Kind::Map | Kind::Parallel | Kind::Branch
        ) {
            return None;
        }
        let inside = |site: &&Site| {
            let mut enclosing = site.place.scope;
            while let Some(at) = enclosing.filter(|at| *at != index) {
                enclosing = self.sites[at].place.scope;
            }
            enclosing.is_some()
        };
        let inside: Vec<&Site> = self.sites.iter().filter(inside).collect();
        if inside.iter().any(|site| site.call.kind == Kind::Undo) {
            return Some(quote_spanned!(hidden()=> true));
        }
        let callees: Vec<_> = inside
            .iter()
            .filter_map(|site| match &site.call.body {
                Some(Expr::Call(callee)) if site.call.kind == Kind::Call => Some(&callee.func),
                _ => None,
            })
            .collect();
        (!callees.is_empty()).then(|| quote_spanned!(hidden()=> #(__p::may_undo(#callees))||*))
    }

    pub(super) fn site(&self, index: usize) -> Option<TokenStream> {
        if let Some(error) = self.report.in_place(index) {
            return Some(error.to_compile_error());
        }
        let Site { call, .. } = self.sites.get(index)?;
        Some(match call.kind {
            Kind::Step | Kind::Submit => self.step(index, call),
            Kind::Record => self.record(index, call),
            Kind::Wait => self.wait(index, call),
            Kind::Poll => self.poll(index, call),
            Kind::Callback => self.callback(index, call),
            Kind::Invoke => self.invoke(index, call),
            Kind::Receive => self.receive(index, call),
            Kind::Send => self.send(index, call),
            Kind::Scope => self.scope(index, call),
            Kind::Call => self.call(index, call),
            Kind::Map => self.map(index, call),
            Kind::Parallel => self.parallel(index, call),
            Kind::Race => self.race(index, call),
            Kind::Batches => self.batches(index, call),
            Kind::ContinueAs => self.continue_as(call),
            Kind::Execution => self.execution(call),
            Kind::Publish => self.publish(index, call),
            // Printed by the call sites that they belong to.
            Kind::Branch | Kind::InnerCallback | Kind::Undo => return None,
        })
    }

    /// A reference to the entry in the table. The index contains the user's macro, `step!(@ 2)`, so that editors show its
    /// documentation and an import of it counts as used.
    pub(super) fn site_reference(&self, index: usize, call: &Call) -> TokenStream {
        let path = &call.path;
        let number = Literal::usize_unsuffixed(self.table_index(index));
        let bang = quote_spanned!(hidden()=> !(@ #number));
        quote_spanned!(hidden()=> &__SITES[#path #bang])
    }

    /// Registers the operation of a call site.
    pub(super) fn register(&self, index: usize, call: &Call) -> TokenStream {
        let site = self.site_reference(index, call);
        let label = call.options.expr("label").map(|label| {
            let label = self.filled(label);
            quote_spanned!(hidden()=> .label(#label))
        });
        let with = self.input(call);
        match call.key() {
            None => quote_spanned!(hidden()=> __cx.register(#site)#label #with),
            Some(key) => {
                let key = self.key(key);
                quote_spanned!(hidden()=> __cx.register_keyed(#site, #key)#label #with)
            }
        }
    }

    /// The declared input of the body, unless each item has one.
    fn input(&self, call: &Call) -> Option<TokenStream> {
        let with = call.options.expr("with")?;
        let is_for_whole = call.item_with().is_none();
        is_for_whole.then(|| self.with_input(with))
    }

    /// The method call that declares the input of a body.
    pub(super) fn with_input(&self, with: &Expr) -> TokenStream {
        let filled = self.filled(with);
        quote_spanned!(located(with)=> .with(__p::input(&(#filled))))
    }

    pub(super) fn key(&self, key: &Expr) -> TokenStream {
        if let Expr::Tuple(parts) = key {
            let parts = parts.elems.iter().map(|part| {
                let tokens = self.filled(part);
                quote_spanned!(located(part)=> &__p::key(&(#tokens)))
            });
            return quote_spanned!(hidden()=> __p::keys(&[#(#parts),*]));
        }
        let tokens = self.filled(key);
        let borrowed = quote_spanned!(located(key)=> &(#tokens));
        quote_spanned!(hidden()=> __p::key(#borrowed))
    }

    /// The user's tokens with their call sites expanded.
    pub(super) fn filled(&self, tokens: impl ToTokens) -> TokenStream {
        self.fill(tokens.to_token_stream())
    }
}

/// The kind of a call site's operation in the history.
fn recorded_kind(call: &Call) -> Option<TokenStream> {
    Some(match call.kind {
        Kind::Step | Kind::Submit => quote_spanned!(hidden()=> Step),
        Kind::Record => quote_spanned!(hidden()=> Record),
        Kind::Wait => quote_spanned!(hidden()=> Wait),
        Kind::Poll => quote_spanned!(hidden()=> Poll),
        Kind::Callback if call.parts.is_empty() => quote_spanned!(hidden()=> Callback),
        Kind::Callback => quote_spanned!(hidden()=> WaitForCallback),
        Kind::InnerCallback => quote_spanned!(hidden()=> Callback),
        Kind::Invoke => quote_spanned!(hidden()=> Invoke),
        Kind::Receive => quote_spanned!(hidden()=> Receive),
        Kind::Send => quote_spanned!(hidden()=> SendMessage),
        Kind::Scope => quote_spanned!(hidden()=> Scope),
        Kind::Call => quote_spanned!(hidden()=> Call),
        Kind::Map if call.is_parallel_list => quote_spanned!(hidden()=> Parallel),
        Kind::Map => quote_spanned!(hidden()=> Map),
        Kind::Parallel => quote_spanned!(hidden()=> Parallel),
        Kind::Branch => quote_spanned!(hidden()=> Branch),
        Kind::Race => quote_spanned!(hidden()=> Race),
        Kind::Batches => quote_spanned!(hidden()=> Batch),
        Kind::Undo => quote_spanned!(hidden()=> Undo),
        Kind::Execution | Kind::ContinueAs | Kind::Publish => return None,
    })
}
