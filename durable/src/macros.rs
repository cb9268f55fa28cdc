//! The forms that `#[durable]` understands, for where it is missing.
//!
//! The attribute replaces them. What it prints keeps the macro, as `step!(@ …)`, so that editors show the
//! documentation below and an import of it counts as used.

/// Error of a form that the attribute has not replaced.
#[doc(hidden)]
#[macro_export]
macro_rules! __outside {
    ($form:literal) => {
        ::core::compile_error!(::core::concat!(
            "`", $form, "!` works only in the body of a function marked `#[durable]`, where the attribute can see it\n",
            "in a helper: mark the helper `#[durable]` and call it with `call!(helper(input))`, or pass it the value\n",
            "in a `macro_rules!`: write `", $form, "!(…)` in the function itself, or pass it to the macro as an argument\n",
            "under another name, as after `use durable::", $form, " as other`: write `", $form, "!(…)` or `durable::", $form, "!(…)`"
        ))
    };
}

/// Runs a body once and keeps its value.
///
/// `step!([name,] [options,] body)` awaits to `Result<T, StepError>`. The body is an expression of type
/// `Result<T, impl Into<BoxError>>`; it may await and borrows what it uses. Without a name the step is
/// called after the function it awaits. A block with `?` has the error type
/// [`BodyError`](crate::BodyError), or the one named by `Ok::<_, Error>(value)`. The value must be owned, because a
/// replay reads it back.
///
/// Options, before the body: `key = value` or `ordered` (in a loop), `retry = Retry` (by default
/// [`Retry::exponential`](crate::Retry::exponential), six attempts), `timeout = Duration` (of one
/// attempt), `at_most_once`, `undo = |value| body` (takes the step back when the execution fails or is
/// cancelled; ends with a `Result<(), _>`, borrows the state only and owns the rest), `move` (the body
/// takes its captures by value),
/// `was = "old name or path"`, `label = text`, `with = input` (what the body works on, as JSON: a recorded outcome of another
/// input blocks the execution instead of answering; see [`Fingerprint`](crate::Fingerprint)), `codec = codec`, `secret`. A body may
/// begin with `|step|`, a [`StepInfo`](crate::StepInfo).
///
/// ```
/// use durable::prelude::*;
///
/// # async fn read(path: &str) -> Result<Vec<u32>, BoxError> { Ok(vec![path.len() as u32]) }
/// # async fn insert(row: u32, key: String) -> Result<u32, BoxError> { Ok(row + key.len() as u32) }
/// #[durable]
/// async fn load(path: String) -> Result<u32, BoxError> {
///     let rows = step!(read(&path).await).await?;
///     let mut total = 0;
///     for (n, row) in rows.into_iter().enumerate() {
///         total += step!("insert", key = n, |step| insert(row, step.idempotency_key()).await).await?;
///     }
///     Ok(total)
/// }
/// ```
#[macro_export]
macro_rules! step {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("step")
    };
}

/// Keeps a value that cannot fail and would differ on replay: the clock, a random number.
///
/// `record!([name,] [options,] expression)` awaits to the value. Options: `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `codec = codec`, `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn stamp() -> Result<std::time::SystemTime, BoxError> {
///     Ok(record!("started", std::time::SystemTime::now()).await)
/// }
/// ```
#[macro_export]
macro_rules! record {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("record")
    };
}

/// Waits, without a process while it lasts.
///
/// `wait!([name,] [options,] duration)` or `wait!([name,] [options,] until = time)` awaits to `()`. The
/// timer starts when the expression is evaluated. Durations are short to say by [`Units`](crate::Units). Options: `key = value` or `ordered` (a wait in a loop
/// is `ordered` by itself), `was = "old name or path"`, `label = text`, `with = input`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn remind(days: u64) -> Result<(), BoxError> {
///     for _ in 0..days {
///         wait!(1.days()).await;
///     }
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! wait {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("wait")
    };
}

/// Groups durable calls under a name: names inside need only be unique inside.
///
/// `scope!(name, [options,] { … })` awaits to `Result<T, ScopeError>`, where the block ends with a
/// `Result`. A panic in the block is the error of the scope. Options: `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`, `codec = codec`,
/// `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn parse(file: &str) -> Result<usize, BoxError> { Ok(file.len()) }
/// #[durable]
/// async fn files(files: Vec<String>) -> Result<usize, BoxError> {
///     let mut total = 0;
///     for file in &files {
///         total += scope!("file", key = file, { step!(parse(file).await).await }).await?;
///     }
///     Ok(total)
/// }
/// ```
#[macro_export]
macro_rules! scope {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("scope")
    };
}

/// Runs another durable function inside this execution, in a scope of its own.
///
/// `call!([name,] [options,] function(input))` awaits to `Result<O, CallError>`. The function gets this
/// one's state by itself. Options: `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`,
/// `codec = codec`, `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn double(number: u32) -> Result<u32, BoxError> {
///     Ok(number * 2)
/// }
///
/// #[durable]
/// async fn quadruple(number: u32) -> Result<u32, BoxError> {
///     let doubled = call!(double(number)).await?;
///     Ok(call!("again", double(doubled)).await?)
/// }
/// ```
#[macro_export]
macro_rules! call {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("call")
    };
}

/// What is the same on every replay: `execution!()` is an [`&ExecutionInfo`](crate::ExecutionInfo), not
/// awaited.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn who() -> Result<String, BoxError> {
///     Ok(execution!().id().to_string())
/// }
/// ```
#[macro_export]
macro_rules! execution {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("execution")
    };
}

/// Repeats a check until it is satisfied, without a process in between.
///
/// `poll!(name, every = delay, [options,] [|state|] body)` awaits to `Result<T, PollError>`. The body is a
/// `Result<ControlFlow<T, State>, _>`: `Break(value)` ends the poll, `Continue(state)` is kept for the next
/// check. `every` is a `Duration` or a [`Backoff`](crate::Backoff).
///
/// Options: `state = first`, `attempts = n` (checks at most), `timeout = Duration` (no check begins later),
/// `retry = Retry` (of a check that fails; by default it fails the poll), `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `codec = codec` (of the value), `state_codec = codec` (of what is kept
/// for the next check), `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn status(job: u32) -> Result<Option<u32>, BoxError> { Ok(Some(job)) }
/// #[durable]
/// async fn wait_for(job: u32) -> Result<u32, BoxError> {
///     let done = poll!("status", every = 30.seconds(), attempts = 20, state = 0, |seen| {
///         Ok(match status(job).await? {
///             Some(result) => ControlFlow::Break(result),
///             None => ControlFlow::Continue(seen + 1),
///         })
///     });
///     Ok(done.await?)
/// }
/// ```
#[macro_export]
macro_rules! poll {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("poll")
    };
}

/// Waits for somebody outside, who answers by an id.
///
/// `callback!(name, [options])` awaits to `Result<T, CallbackError>`; its `.id().await` is the id to hand
/// out before. With `submit = |id| body` a step does that: then `name` is a scope of its own, which ends as
/// the callback in it does (`name/callback`), or as the step (`name/submit`) where that fails.
/// [`Client::complete`](crate::Client::complete) ends it by the id, from any process that can reach the store;
/// `T` is what is given there, as JSON, or by `codec = Text` the text as it is ([`Text`](crate::Text)). An answer
/// without a value is a `null`.
///
/// Options: `timeout = Duration`, `heartbeat = Duration` (the longest pause between signs of life),
/// `submit = |id| body`, `retry = Retry` (of `submit`; by default six attempts), `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `codec = codec`, `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn mail(to: &str, link: &str) -> Result<(), BoxError> { let _ = (to, link); Ok(()) }
/// #[durable]
/// async fn approval(manager: String) -> Result<bool, BoxError> {
///     let answer = callback!("approved", timeout = 1.days(), submit = |id| mail(&manager, id).await);
///     Ok(answer.await?)
/// }
/// ```
#[macro_export]
macro_rules! callback {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("callback")
    };
}

/// Runs another durable function as an execution of its own.
///
/// `invoke!([name,] [options,] function(input))` awaits to `Result<O, InvokeError>`. Where only the name is
/// known here it is `invoke!(name, [options,] "function", input)`, and where that is known at run time only,
/// `invoke!(name, function = text, [options,] input)`. Without an input it is `()`. The child is started
/// exactly once.
///
/// The id of the child is made of the id of this execution and the identity of the call. If another execution has that
/// id, the call fails at once with an error that names both. A result that the type of `function` cannot read blocks
/// this execution, since both are code of one project; the result of a function known by its name is an error of the
/// call, of kind `Codec`. [`run`](crate::run()) ends with [`RunError::Blocked`](crate::RunError::Blocked) when only
/// a child that is blocked could let the execution go on.
///
/// Options: `tenant = text` (for whom, where the store keeps tenants apart), `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `input_codec = codec` (writes the input; the function reads it as its
/// own), `codec = codec` (reads the result, whatever wrote it), `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn double(number: u32) -> Result<u32, BoxError> {
///     Ok(number * 2)
/// }
///
/// #[durable]
/// async fn quadruple(number: u32) -> Result<u32, BoxError> {
///     let doubled = invoke!(double(number)).await?;
///     Ok(invoke!("again", double(doubled)).await?)
/// }
/// ```
#[macro_export]
macro_rules! invoke {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("invoke")
    };
}

/// Ends this execution and starts the next of its chain, with a fresh history.
///
/// `continue_as!(input).await` never ends; it stands where the function would return.
///
/// An `undo` body belongs to the execution that its step ran in. While a finished step has one, the execution does not
/// continue: it is blocked with a report that names the steps (on Lambda it fails, and they are taken back). Have an
/// [`invoke!`](crate::invoke!) do what may have to be taken back.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn sync(page: u32) -> Result<u32, BoxError> { Ok(page) }
/// #[durable]
/// async fn mirror(page: u32) -> Result<(), BoxError> {
///     step!(sync(page).await).await?;
///     wait!(1.hours()).await;
///     continue_as!(page + 1).await
/// }
/// ```
#[macro_export]
macro_rules! continue_as {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("continue_as")
    };
}

/// Runs a body for each of many items, each in a scope of its own, at once.
///
/// `map!(name, items, [options,] |item| { … })` awaits to a [`BatchResult`](crate::BatchResult). The block ends
/// with a `Result` and may hold durable calls. A list that may be reordered or grow needs item keys.
///
/// Options: `key = |item| value` (tells the items apart; any other `key`, or `ordered`, tells the runs of
/// the `map!` itself apart), `item_label = |item| text` (how each item is written in histories; `label = text`
/// is how the `map!` itself is), `with = |item| input` (what an item's body works on; `with = input` is of the whole), `concurrency = n`, `complete = Complete`, `flat` (the items leave no records
/// of their own), `was = "old name or path"`, `codec = codec` (of each item's value), `secret`.
///
/// `result_codec = codec` is for the whole, a `Codec<BatchResult<T>>`: what it writes is what is recorded of the
/// `map!`, and what it reads of that is what comes back, with nothing run again. Over the store's limit, or
/// with an `undo` inside, the result is put together from the items instead.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn parse(file: &str) -> Result<usize, BoxError> { Ok(file.len()) }
/// #[durable]
/// async fn files(files: Vec<String>) -> Result<usize, BoxError> {
///     let sizes = map!("files", &files, key = |file| file, concurrency = 4, |file| {
///         step!(parse(file).await).await
///     });
///     Ok(sizes.await.into_values()?.into_iter().sum())
/// }
/// ```
#[macro_export]
macro_rules! map {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("map")
    };
}

/// Runs named bodies of one type at once, each in a scope of its own.
///
/// `parallel!(name, [options,] { "a" => { … }, "b" => { … } })` awaits to a
/// [`BatchResult`](crate::BatchResult), in the order in which the branches are written. Branches made at run time
/// stand in a list, with one body for all: `parallel!(name, branches, key = |branch| …, [options,] |branch| { … })`.
///
/// Options: `concurrency = n`, `complete = Complete`, `flat`, `key = value` or `ordered`, `was = "old name or path"`,
/// `label = text`, `with = input`, `codec = codec`, `result_codec = codec`, `secret`; see [`map!`](crate::map).
///
/// ```
/// use durable::prelude::*;
///
/// # async fn quote(shop: &str) -> Result<u32, BoxError> { Ok(shop.len() as u32) }
/// #[durable]
/// async fn cheapest() -> Result<Option<u32>, BoxError> {
///     let quotes = parallel!("quotes", complete = Complete::all().min_successful(1), {
///         "corner" => { step!(quote("corner").await).await },
///         "online" => { step!(quote("online").await).await },
///     });
///     Ok(quotes.await.values().min().copied())
/// }
/// ```
#[macro_export]
macro_rules! parallel {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("parallel")
    };
}

/// Goes on with what comes first, the same on every replay.
///
/// `race!(name, [options,] { "arm" => future => expression, … })` awaits to the winner's expression; with
/// `"arm" => pattern = future => expression` that sees what the future gave. The winner is recorded before
/// its expression runs, then the other futures are dropped. An expression that may fail ends with a
/// `Result`: the `?` comes after `.await`. Names of call sites in the futures need only be
/// unique in the race. Options: `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn approval(limit: u64) -> Result<bool, BoxError> {
///     let answer = callback!("answer", timeout = 1.days());
///     let approved = race!("approval", {
///         "answered" => answer = answer => answer.unwrap_or(false),
///         "late" => wait!(Duration::from_secs(limit)) => false,
///     });
///     Ok(approved.await)
/// }
/// ```
#[macro_export]
macro_rules! race {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("race")
    };
}

/// Goes over many items in order, as many per step as fit a time target.
///
/// `batches!(name, items, [options,] |batch| body)` awaits to `Result<Vec<T>, StepError>`, a value for each
/// batch. The items are a slice, array or `Vec` in a local, which is borrowed. The body gets a slice of the items and is one step: it runs again as a whole. Sizes start small
/// and grow towards the target.
///
/// Options: `target = Duration` (of one batch, by default ten seconds), `max = n` (items of one batch),
/// `retry = Retry`, `timeout = Duration`, `with = |batch| input`, `was = "old name or path"`, `codec = codec`, `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn insert(rows: &[u32]) -> Result<usize, BoxError> { Ok(rows.len()) }
/// #[durable]
/// async fn load(rows: Vec<u32>) -> Result<usize, BoxError> {
///     let inserted = batches!("load", rows, max = 500, |batch| insert(batch).await);
///     Ok(inserted.await?.into_iter().sum())
/// }
/// ```
#[macro_export]
macro_rules! batches {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside!("batches")
    };
}
