//! What is known at compile time: call sites, manifests and handlers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::model::codec::{self, Codec, Json};
use crate::model::error::BoxError;
use crate::model::record::Kind;
use crate::runtime::context::Context;
use crate::runtime::operation::Undo;

/// How often a call site runs within its scope, and what tells the runs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Repeat {
    /// It runs once.
    Once,
    /// Its turn is its identity.
    Ordered,
    /// A key of the user's tells the runs apart.
    Keyed,
}

/// One durable call site of a handler, as the attribute found it.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// What it does.
    pub kind: Kind,
    /// Its name, unique in its scope.
    pub name: &'static str,
    /// Source file, as the compiler names it.
    pub file: &'static str,
    /// Line in that file.
    pub line: u32,
    /// Whether and how it runs more than once.
    pub repeat: Repeat,
    /// Index in the manifest of the `scope!` it stands in.
    pub within: Option<usize>,
    /// Whether it stands in a closure or an async block, where order is up to the scheduler.
    pub concurrent: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Names it had before, and paths to where it stood.
    pub was: &'static [&'static str],
    /// Whether a call site elsewhere says that it stood in this scope before.
    pub vacated: bool,
    /// Whether a step inside of it has an undo body, so that it is entered on every replay.
    pub undoes: bool,
}

impl Site {
    /// A site that runs once, at the top of its handler.
    pub const fn new(kind: Kind, name: &'static str, file: &'static str, line: u32) -> Self {
        Self {
            kind,
            name,
            file,
            line,
            repeat: Repeat::Once,
            within: None,
            concurrent: false,
            secret: false,
            was: &[],
            vacated: false,
            undoes: false,
        }
    }

    /// The same, told apart by a key.
    #[must_use]
    pub const fn keyed(mut self) -> Self {
        self.repeat = Repeat::Keyed;
        self
    }

    /// The same, told apart by its turn.
    #[must_use]
    pub const fn ordered(mut self) -> Self {
        self.repeat = Repeat::Ordered;
        self
    }

    /// The same, inside the scope with this index.
    #[must_use]
    pub const fn within(mut self, scope: usize) -> Self {
        self.within = Some(scope);
        self
    }

    /// The same, in a closure or an async block.
    #[must_use]
    pub const fn concurrent(mut self) -> Self {
        self.concurrent = true;
        self
    }

    /// The same, with a value that must never be shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The same, with an undo body inside.
    #[must_use]
    pub const fn undoes(mut self) -> Self {
        self.undoes = true;
        self
    }

    /// The same, with call sites elsewhere that stood in it before.
    #[must_use]
    pub const fn vacated(mut self) -> Self {
        self.vacated = true;
        self
    }

    /// The same, with the names it had before and the paths to where it stood.
    #[must_use]
    pub const fn was(mut self, names: &'static [&'static str]) -> Self {
        self.was = names;
        self
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} `{}` ({}:{})",
            self.kind, self.name, self.file, self.line
        )
    }
}

/// Everything the attribute found out about a handler.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Manifest {
    /// Name of the handler.
    pub handler: &'static str,
    /// Version the handler was given, if any.
    pub version: Option<&'static str>,
    /// Names the handler had before.
    pub was: &'static [&'static str],
    /// Every call site, in the order of the source.
    pub sites: &'static [Site],
}

impl Manifest {
    /// A manifest of these sites.
    pub const fn new(
        handler: &'static str,
        version: Option<&'static str>,
        was: &'static [&'static str],
        sites: &'static [Site],
    ) -> Self {
        Self {
            handler,
            version,
            was,
            sites,
        }
    }

    /// Whether running the handler may register undo bodies. What it calls is not known here.
    pub(crate) fn may_undo(&self) -> bool {
        self.sites
            .iter()
            .any(|site| matches!(site.kind, Kind::Undo | Kind::Call))
    }

    /// A number that changes exactly when replay compatibility may change: with names, kinds,
    /// repetition and nesting of the call sites, not with lines, files or the code between them.
    pub fn structural_hash(&self) -> u64 {
        let mut hash = Sha256::new();
        for site in self.sites {
            let repeat = match site.repeat {
                Repeat::Once => 0,
                Repeat::Ordered => 1,
                Repeat::Keyed => 2,
            };
            let within = site.within.map_or(u64::MAX, |scope| scope as u64);
            for text in [site.kind.as_str(), site.name] {
                hash.update((text.len() as u32).to_be_bytes());
                hash.update(text);
            }
            hash.update([repeat]);
            hash.update(within.to_be_bytes());
        }
        let digest = hash.finalize();
        let mut number = [0; 8];
        number.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(number)
    }
}

/// A durable function, whatever state it needs: all that starting it takes.
///
/// Implemented by `#[durable]`.
pub trait Durable: Copy + Send + Sync + 'static {
    /// Name the function is persisted under.
    const NAME: &'static str;
    /// What it is started with.
    type Input: HandlerInput;
    /// What it ends with.
    type Output: HandlerOutput;

    /// Every call site, and the structural hash.
    fn manifest() -> &'static Manifest;
}

/// Type that the input of a durable function can have.
///
/// Implemented for all types that are `Serialize`, `DeserializeOwned` and `Send`. These are no supertraits, because rustc
/// would report each missing one in addition to the trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a durable function",
    label = "an input must be `Serialize`, `DeserializeOwned` and `Send`",
    note = "the input is stored when an execution starts: derive `serde::Serialize` and `serde::Deserialize` for it, and take what cannot be stored from the state (`app: &App`)"
)]
pub trait HandlerInput: Sized + Send + 'static {
    /// Encodes the input as JSON.
    ///
    /// # Errors
    ///
    /// If it cannot be represented as JSON.
    fn to_json(&self) -> Result<Vec<u8>, BoxError>;

    /// The same, with an error that points to the options of a call site.
    #[doc(hidden)]
    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError>;

    /// Decodes the input from JSON.
    ///
    /// # Errors
    ///
    /// If the JSON does not match the type.
    fn from_json(bytes: &[u8]) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> HandlerInput for T {
    fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        codec::encode_boundary(self)
    }

    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError> {
        Json.encode(self)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// Type that the output of a durable function can have.
///
/// Implemented for all types that are `Serialize`, `DeserializeOwned` and `Send`. These are no supertraits, because rustc
/// would report each missing one in addition to the trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the output of a durable function",
    label = "an output must be `Serialize`, `DeserializeOwned` and `Send`",
    note = "the output is stored when the execution ends: derive `serde::Serialize` and `serde::Deserialize` for it, or return something smaller (an id, a summary)"
)]
pub trait HandlerOutput: Sized + Send + 'static {
    /// Encodes the output as JSON.
    ///
    /// # Errors
    ///
    /// If it cannot be represented as JSON.
    fn to_json(&self) -> Result<Vec<u8>, BoxError>;

    /// The same, with an error that points to the options of a call site.
    #[doc(hidden)]
    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError>;

    /// Decodes the output from JSON.
    ///
    /// # Errors
    ///
    /// If the JSON does not match the type.
    fn from_json(bytes: &[u8]) -> Result<Self, BoxError>;
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> HandlerOutput for T {
    fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        codec::encode_boundary(self)
    }

    fn to_json_at_call_site(&self) -> Result<Vec<u8>, BoxError> {
        Json.encode(self)
    }

    fn from_json(bytes: &[u8]) -> Result<Self, BoxError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// A durable function that runs with a state of type `S`.
///
/// Implemented by `#[durable]`: for every `S` when the function takes no state.
#[diagnostic::on_unimplemented(
    message = "this is no durable function that runs with a state of type `{S}`",
    note = "a durable function that takes `state: &App` runs with `App` only; one without a by-reference parameter runs with any state"
)]
pub trait Handler<S: Sync>: Durable {
    /// Runs the function from the top; `undo` takes what takes its steps back.
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b;
}

/// Handler of a durable function that takes a state. Runs with a state of that type.
#[derive(Debug, Clone, Copy)]
pub struct WithState<H>(pub H);

impl<H: Durable> Durable for WithState<H> {
    const NAME: &'static str = H::NAME;
    type Input = H::Input;
    type Output = H::Output;

    fn manifest() -> &'static Manifest {
        H::manifest()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, H: Handler<S>> Handler<S> for WithState<H> {
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b {
        H::run(cx, state, undo, input)
    }
}

/// Handler of a durable function that takes no state. Runs with any state.
#[derive(Debug, Clone, Copy)]
pub struct AnyState<H>(pub H);

impl<H: Durable> Durable for AnyState<H> {
    const NAME: &'static str = H::NAME;
    type Input = H::Input;
    type Output = H::Output;

    fn manifest() -> &'static Manifest {
        H::manifest()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Sync, H: Handler<()>> Handler<S> for AnyState<H> {
    fn run<'b, 'a: 'b>(
        cx: &'b Context,
        _state: &'a S,
        undo: &'b Undo<'a>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, BoxError>> + Send + 'b {
        H::run(cx, &(), undo, input)
    }
}

/// Never implemented. Gives a durable function that is called and awaited like an ordinary one its error message.
#[diagnostic::on_unimplemented(
    message = "a durable function cannot be called and awaited directly",
    label = "use `call!`, `invoke!` or `durable::run`",
    note = "in a durable function write `call!(function(input)).await`, or `invoke!(function(input)).await` for a separate execution; elsewhere write `durable::run(function, \"id\", input).await`"
)]
pub trait Awaited {}

impl<H: Durable + Awaited> Future for WithState<H> {
    type Output = Result<H::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

impl<H: Durable + Awaited> Future for AnyState<H> {
    type Output = Result<H::Output, BoxError>;

    fn poll(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

/// What `#[durable]` leaves under the function's name: an item that yields the handler.
pub trait IntoHandler {
    /// The handler it yields.
    type Handler: Durable;
}

impl<F, H> IntoHandler for F
where
    F: FnOnce() -> H,
    H: Durable,
{
    type Handler = H;
}
