//! Calls of functions and methods: hazards among them, and the flow of values through their arguments.

use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, ExprCall, ExprMethodCall, Token};

use super::Lifter;
use super::changes::ValueUse;
use super::flow::Sources;
use super::location::Location;
use crate::hazards::{self, Hazard};
use crate::rules::Rule;
use crate::sites::Forbidden;

/// Methods that lend exclusive access to a part of the receiver.
const LENDING: &[&str] = &["entry", "lock", "write", "by_ref", "or_default"];
/// Methods whose result contains nothing of the receiver.
const FORGETTING: &[&str] = &["len", "is_empty", "capacity"];

/// Sources of the arguments of a call.
struct Arguments {
    parts: Vec<Sources>,
    /// Sources of the arguments that are not closures, and that the callee may keep. Closures are called, seldom kept.
    kept: Sources,
    /// Whether there are call sites in the arguments.
    durable: bool,
}

impl Arguments {
    fn all(&self) -> Sources {
        let mut all = Sources::default();
        self.parts.iter().for_each(|part| all.merge(part.clone()));
        all
    }
}

impl Lifter<'_> {
    /// Runs `visit` on an expression and returns the sources of its value.
    pub(super) fn gather(&mut self, visit: impl FnOnce(&mut Self)) -> Sources {
        let outer = std::mem::take(&mut self.gathered);
        visit(self);
        std::mem::replace(&mut self.gathered, outer)
    }

    /// Visits an expression whose value is used in the way `usage`.
    pub(super) fn visit_used(&mut self, expr: &mut Expr, usage: ValueUse) {
        match expr {
            Expr::MethodCall(one) => self.visit_method(one, usage),
            other => self.visit_expr_mut(other),
        }
    }

    fn visit_arguments(
        &mut self,
        spawns: bool,
        arguments: &mut Punctuated<Expr, Token![,]>,
    ) -> Arguments {
        let before = self.sites.len();
        let (mut parts, mut kept) = (Vec::new(), Sources::default());
        for argument in arguments {
            let part = self.gather(|this| {
                let change = |location: &mut Location| {
                    if spawns && location.forbidden.is_none() {
                        location.forbidden = Some(Forbidden::Spawned);
                    }
                };
                this.with_location(change, |this| this.visit_expr_mut(argument));
            });
            if !self.is_closure(argument) {
                kept.merge(part.clone());
            }
            parts.push(part);
        }
        let durable = self.sites.len() > before;
        Arguments {
            parts,
            kept,
            durable,
        }
    }

    fn is_closure(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Closure(_) => true,
            Expr::Path(one) => one
                .path
                .get_ident()
                .and_then(|name| self.flow.resolve(name))
                .is_some_and(|node| self.flow.local(node).is_closure),
            _ => false,
        }
    }

    pub(super) fn visit_call(&mut self, one: &mut ExprCall) {
        let spawns = hazards::spawns(&one.func);
        let awaits = self.flow.verdict_count();
        let blocked = hazards::blocks_on(&one.func).then(|| one.args.clone());
        let mut given = self.visit_arguments(spawns, &mut one.args);
        // Report only the durable call in the spawned task, which is the more serious mistake.
        if spawns && given.durable {
            self.gathered.durable = true;
            return;
        }
        let refused = self.refused_count;
        let is_own = hazards::bare_name(one).is_some_and(|name| self.flow.resolve(name).is_some());
        if !is_own {
            self.refuse_function(one, &given);
            self.gathered.durable |= hazards::is_harmless(one);
        }
        let function = self.gather(|this| this.visit_expr_mut(&mut one.func));
        if self.refused_count > refused {
            // Moving the call into a step also moves the awaits in its arguments there.
            self.flow.accept_awaits_since(awaits);
        }
        if let Some(future) = blocked.as_ref().and_then(|arguments| arguments.first()) {
            self.judge_await(given.all(), future, ".await");
            return;
        }
        for lender in given.parts.iter().filter(|part| part.lends) {
            self.flow.connect_all(&given.kept, lender);
        }
        given.parts.push(function);
        self.flow.connect_arguments(&given.parts);
        self.gathered.merge(given.all());
    }

    /// Refuses a call of a function that is known by name.
    fn refuse_function(&mut self, one: &ExprCall, given: &Arguments) {
        let program = matches!(one.args.first(), Some(Expr::Lit(_)));
        let command = || hazards::of_command(one).filter(|_| program);
        let hazard = hazards::of_call(one).or_else(command);
        self.refuse_hazard(hazard, &one.func);
        if let Some(hazard) = hazards::of_combinator(one) {
            self.judge_durable(hazard, given.all(), &one.func);
        }
    }

    /// Refuses `hazard` if a durable call is among `sources`.
    fn judge_durable(
        &mut self,
        Hazard { rule, advice }: Hazard,
        sources: Sources,
        tokens: impl quote::ToTokens,
    ) {
        let is_refused =
            self.location.forbidden.is_none() && !self.location.allowed.contains(&rule);
        let error = is_refused.then(|| rule.error(tokens, advice));
        self.flow.judge_durable(sources, error);
    }

    pub(super) fn visit_method(&mut self, one: &mut ExprMethodCall, usage: ValueUse) {
        let before = self.judged_count;
        let receiver = self.gather(|this| this.visit_expr_mut(&mut one.receiver));
        let spawns = hazards::spawns_by_name(&one.method);
        if self.judged_count == before {
            self.refuse_method(one, &receiver, usage);
        }
        if let Some(types) = &mut one.turbofish {
            self.visit_angle_bracketed_generic_arguments_mut(types);
        }
        let given = self.visit_arguments(spawns, &mut one.args);
        if given.durable && self.flow.in_hash_order(&one.receiver) {
            self.refuse(Rule::HashOrder, &one.receiver, super::HASH_ADVICE);
        }
        let method = one.method.to_string();
        let mut parts = given.parts.clone();
        parts.push(receiver.clone());
        self.flow.connect_arguments(&parts);
        if receiver.lends || method.ends_with("_with") {
            self.flow.connect_all(&given.all(), &receiver);
        } else {
            self.flow.connect_all(&given.kept, &receiver);
        }
        let mut value = given.all();
        value.merge(receiver);
        value.lends |= method.ends_with("_mut") || LENDING.contains(&method.as_str());
        if FORGETTING.contains(&method.as_str()) {
            value = value.only_awaits();
        }
        self.gathered.merge(value);
    }

    /// Refuses a call of a method that is known by name.
    fn refuse_method(&mut self, one: &ExprMethodCall, receiver: &Sources, usage: ValueUse) {
        // A local atomic is created again on every replay, like other locals.
        let own_cell = || {
            self.place(&one.receiver)
                .is_some_and(|place| self.flow.local(place.node).contents.cell)
        };
        let hazard = hazards::of_method(one)
            .or_else(|| hazards::of_command_chain(one))
            .or_else(|| hazards::of_atomic(one).filter(|_| !own_cell()));
        let before = self.judged_count;
        self.refuse_hazard(hazard, &one.method);
        if self.judged_count == before {
            self.refuse_change_by_method(one, usage);
        }
        if let Some(hazard) = hazards::of_method_on_durable(one) {
            self.judge_durable(hazard, receiver.clone(), &one.method);
        }
    }
}
