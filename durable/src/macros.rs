//! The macros of durable functions: their documentation, and an error for uses outside of `#[durable]`.
//!
//! The attribute replaces their uses. Its expansion contains `step!(@ …)`, so that editors show the documentation below
//! and an import of the macro counts as used.

/// Error of a macro that the attribute has not replaced.
#[doc(hidden)]
#[macro_export]
macro_rules! __outside_durable_function {
    ($form:literal) => {
        ::core::compile_error!(::core::concat!(
            "`", $form, "!` works only in the body of a function marked `#[durable]`, where the attribute can see it\n",
            "in a helper: mark the helper `#[durable]` and call it with `call!(helper(input))`, or pass it the value\n",
            "in a `macro_rules!`: write `", $form, "!(…)` in the function itself, or pass it to the macro as an argument\n",
            "under another name, for example after `use durable::", $form, " as other`: write `", $form, "!(…)` or `durable::", $form, "!(…)`"
        ))
    };
}

/// Runs a body and records its outcome. A replay returns the recorded outcome.
///
/// `step!([name,] [options,] body)` awaits to `Result<T, StepError>`. The body is an expression of type
/// `Result<T, impl Into<BoxError>>`. It may await, and it borrows the locals it uses. It may begin with `|step|`, a
/// [`StepInfo`](crate::StepInfo). The default name of a step is that of the function it awaits. The error type of a block
/// with `?` is [`BodyError`](crate::BodyError), or the one named by `Ok::<_, Error>(value)`. The value must be owned,
/// because a replay decodes it from the record.
///
/// Options, before the body:
///
/// | option | meaning |
/// |---|---|
/// | `key = value`, `ordered` | in a loop: identifies each run by a key or by its position |
/// | `retry = Retry` | retry policy; default: [`Retry::exponential`](crate::Retry::exponential) with six attempts |
/// | `timeout = Duration` | time limit of one attempt |
/// | `at_most_once` | an attempt that was interrupted is not repeated; it fails |
/// | `tx = &database` | the body, `\|tx\| body`, runs in a transaction of this database, which also records its outcome: it takes effect exactly once. See [`transaction`](crate::transaction) |
/// | `undo = \|value\| body` | undoes the finished step if the execution fails or is cancelled; the body returns `Result<(), _>`, borrows only the state and owns everything else |
/// | `move` | the body captures by value |
/// | `was = "old name or path"` | former name, under which older executions recorded it |
/// | `label = text` | label in histories |
/// | `with = input` | the input of the body, compared as JSON: a recorded outcome of another input blocks the execution; see [`Fingerprint`](crate::Fingerprint) |
/// | `codec = codec` | codec of the value; default: JSON |
/// | `secret` | tools never show the value or error |
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
        $crate::__outside_durable_function!("step")
    };
}

/// Records a value that would differ on replay, such as the time or a random number.
///
/// `record!([name,] [options,] expression)` awaits to the value. The expression cannot fail. Options, as for
/// [`step!`](crate::step): `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`,
/// `codec = codec`, `secret`.
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
        $crate::__outside_durable_function!("record")
    };
}

/// Waits durably. No process needs to run in the meantime.
///
/// `wait!([name,] [options,] duration)` or `wait!([name,] [options,] until = time)` awaits to `()`. The timer starts when the
/// expression is evaluated. [`Units`](crate::Units) has short forms of durations, such as `1.days()`. Options, as for
/// [`step!`](crate::step): `key = value` or `ordered` (the default in a loop), `was = "old name or path"`, `label = text`,
/// `with = input`.
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
        $crate::__outside_durable_function!("wait")
    };
}

/// Groups durable calls under a name. Names in a scope need to be unique only there.
///
/// `scope!(name, [options,] { … })` awaits to `Result<T, ScopeError>`. The block evaluates to a `Result`. A panic in the block
/// becomes the error of the scope. Options, as for [`step!`](crate::step): `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `codec = codec`, `secret`.
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
        $crate::__outside_durable_function!("scope")
    };
}

/// Calls another durable function within this execution. The call is a scope.
///
/// `call!([name,] [options,] function(input))` awaits to `Result<O, CallError>`. The function gets the state of the caller
/// automatically. Options, as for [`step!`](crate::step): `key = value` or `ordered`, `was = "old name or path"`,
/// `label = text`, `with = input`, `codec = codec`, `secret`.
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
        $crate::__outside_durable_function!("call")
    };
}

/// Returns facts about the execution that are the same on every replay.
///
/// `execution!()` is an [`&ExecutionInfo`](crate::ExecutionInfo). It is not awaited.
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
        $crate::__outside_durable_function!("execution")
    };
}

/// Repeats a check until it succeeds. No process needs to run between checks.
///
/// `poll!(name, every = delay, [options,] [|state|] body)` awaits to `Result<T, PollError>`. The body evaluates to a
/// `Result<ControlFlow<T, State>, _>`: `Break(value)` ends the poll, `Continue(state)` records the state for the next check.
/// `every` is a `Duration` or a [`Backoff`](crate::Backoff).
///
/// Options: `state = first` (state of the first check), `attempts = n` (maximum number of checks), `timeout = Duration` (no
/// check starts later), `retry = Retry` (for a check that fails; by default a failed check fails the poll),
/// `codec = codec` (of the value), `state_codec = codec` (of the state), and as for [`step!`](crate::step): `key = value` or
/// `ordered`, `was = "old name or path"`, `label = text`, `with = input`, `secret`.
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
        $crate::__outside_durable_function!("poll")
    };
}

/// Waits for a result from an external system or a person.
///
/// `callback!(name, [options])` awaits to `Result<T, CallbackError>`. Its `.id().await` is the callback id to give to the
/// external system beforehand. [`Client::complete`](crate::Client::complete) completes the callback by this id, from any
/// process that can reach the store. `T` is decoded from the result given there: from JSON, or as it is with `codec = Text`
/// ([`Text`](crate::Text)). A result without a value is `null`.
///
/// With `submit = |id| body`, a step gives away the id. The callback is then a scope that contains the callback
/// (`name/callback`) and the step (`name/submit`). Its outcome is that of the callback, or the error of the step.
///
/// Options: `timeout = Duration`, `heartbeat = Duration` (maximum time between heartbeats), `submit = |id| body`,
/// `retry = Retry` (of `submit`; default: six attempts), and as for [`step!`](crate::step): `key = value` or `ordered`,
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
        $crate::__outside_durable_function!("callback")
    };
}

/// Receives the next message that was sent to this execution under a name.
///
/// `receive!(name, [options])` awaits to `Result<T, ReceiveError>`. Each message is received exactly once, and messages of one
/// name are received in the order in which the store accepted them. A message that is sent before anyone waits for it is kept, also before the first
/// run. Messages are sent with [`Client::send`](crate::Client::send), with a start
/// ([`Start::message`](crate::Start::message)), by [`send!`](crate::send) in another execution, or with `durable send`.
///
/// In a `race!`, an arm that loses receives nothing: its message waits for the next `receive!`.
///
/// Needs a store with messages: memory, SQLite, PostgreSQL. On other stores the execution fails with an error that says to use
/// [`callback!`](crate::callback).
///
/// Options: `message = text` (name of the messages, if it is not that of the call site), `timeout = Duration` (from when it first finds no message; then the error is
/// [`TimedOut`](crate::ErrorKind::TimedOut)), and as for [`step!`](crate::step): `key = value` or `ordered`, `was = "old name or path"`,
/// `label = text`, `with = input`, `codec = codec`, `secret`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn chat(_name: String) -> Result<Vec<String>, BoxError> {
///     let mut lines = Vec::new();
///     loop {
///         let line: String = receive!("line", timeout = 1.days()).await?;
///         if line == "bye" {
///             return Ok(lines);
///         }
///         lines.push(line);
///     }
/// }
/// ```
#[macro_export]
macro_rules! receive {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside_durable_function!("receive")
    };
}

/// Sends a message to another execution, exactly once.
///
/// `send!(id, name, [options], value)` awaits to `Result<(), SendError>`. The other execution gets the value from
/// [`receive!`](crate::receive) under this name. An unknown execution or one that has ended is an error; a store that is
/// unavailable is tried again. The value is encoded as JSON.
///
/// Options: `message = text` (name of the message, if it is not that of the call site), and as for [`step!`](crate::step):
/// `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn referee(players: Vec<String>) -> Result<(), BoxError> {
///     for player in &players {
///         send!(player, "start", key = player, true).await?;
///     }
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! send {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside_durable_function!("send")
    };
}

/// Publishes a value for clients to read while the execution runs.
///
/// `publish!(name, value)` evaluates to `Result<(), PublishError>`. It is not awaited. The value replaces the one published
/// earlier under this name, which is a string literal. [`Client::published`](crate::Client::published) reads it.
///
/// The value is written with the next checkpoint, or alone if there is none within half a second. Calls that a replay repeats
/// change nothing, so a published value never goes back to an earlier one. Unlike other call sites, `publish!` may also be used
/// in the body of a `step!`, as often as needed and with a name that other call sites publish under.
///
/// On Lambda, where no record can be replaced, the value is only logged.
///
/// ```
/// use durable::prelude::*;
///
/// # async fn load(file: &str) -> Result<u64, BoxError> { Ok(file.len() as u64) }
/// #[durable]
/// async fn import(files: Vec<String>) -> Result<u64, BoxError> {
///     let mut rows = 0;
///     for (done, file) in files.iter().enumerate() {
///         publish!("progress", format!("{done} of {}", files.len()))?;
///         rows += step!("load", key = file, load(file).await).await?;
///     }
///     Ok(rows)
/// }
/// ```
#[macro_export]
macro_rules! publish {
    (@ $($expansion:tt)*) => {
        $($expansion)*
    };
    ($($anything:tt)*) => {
        $crate::__outside_durable_function!("publish")
    };
}

/// Runs another durable function as a separate execution, the child.
///
/// | form | use |
/// |---|---|
/// | `invoke!([name,] [options,] function(input))` | the function is part of this program |
/// | `invoke!(name, [options,] "function", input)` | only its name is known here |
/// | `invoke!(name, function = text, [options,] input)` | its name is known only at run time |
///
/// All await to `Result<O, InvokeError>`. The default input is `()`. The child is started exactly once.
///
/// The id of the child is derived from the id of this execution and the identity of the call. If another execution has that
/// id, the call fails at once with an error that names both. A result that does not decode blocks this execution if the
/// function is part of this program. If the function is given by name, it is an error of kind `Codec`.
/// [`run`](crate::run()) returns [`RunError::Blocked`](crate::RunError::Blocked) if the execution waits only for children that
/// are blocked.
///
/// Options: `tenant = text` (tenant of the child, on stores that separate tenants), `input_codec = codec` (encodes the input;
/// the function decodes it with its own codec), `codec = codec` (decodes the result), and as for [`step!`](crate::step):
/// `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`, `secret`.
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
        $crate::__outside_durable_function!("invoke")
    };
}

/// Ends this execution and starts the next one of its chain, with an empty history.
///
/// `continue_as!(input).await` never returns. Use it where the function would return.
///
/// An `undo` body belongs to the execution of its step. An execution with finished steps that have one cannot continue: it
/// blocks with a report that names the steps. On Lambda it fails, and the steps are undone. Put such steps into a child, by
/// [`invoke!`](crate::invoke!).
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
        $crate::__outside_durable_function!("continue_as")
    };
}

/// Runs a body for each of several items concurrently. Each item is a scope.
///
/// `map!(name, items, [options,] |item| { … })` awaits to a [`BatchResult`](crate::BatchResult). The block evaluates to a
/// `Result` and may contain durable calls. A list whose order or length may change needs item keys.
///
/// | option | meaning |
/// |---|---|
/// | `key = \|item\| value` | identifies each item; default: its position |
/// | `key = value`, `ordered` | identifies each run of a `map!` in a loop |
/// | `item_label = \|item\| text` | label of each item in histories |
/// | `label = text` | label of the `map!` in histories |
/// | `with = \|item\| input` | input of each item's body, as for [`step!`](crate::step) |
/// | `with = input` | input of the whole `map!` |
/// | `concurrency = n` | maximum number of items that run at once |
/// | `complete = Complete` | when the `map!` is complete; default: when all items are |
/// | `flat` | items have no records of their own |
/// | `codec = codec` | codec of each item's value |
/// | `result_codec = codec` | codec of the recorded result, a `Codec<BatchResult<T>>` |
///
/// `was` and `secret` are as for [`step!`](crate::step).
///
/// With `result_codec`, a replay returns the result that the codec decodes, and runs nothing again. A result over the store's
/// size limit is put together from the items instead, and so is one with an `undo` in an item.
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
        $crate::__outside_durable_function!("map")
    };
}

/// Runs named branches of the same type concurrently. Each branch is a scope.
///
/// `parallel!(name, [options,] { "a" => { … }, "b" => { … } })` awaits to a [`BatchResult`](crate::BatchResult), in the order
/// of the branches. Branches that are created at run time are given as a list, with one body for all:
/// `parallel!(name, branches, key = |branch| …, [options,] |branch| { … })`.
///
/// Options, as for [`map!`](crate::map): `concurrency = n`, `complete = Complete`, `flat`, `key = value` or `ordered`,
/// `was = "old name or path"`, `label = text`, `with = input`, `codec = codec`, `result_codec = codec`, `secret`.
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
        $crate::__outside_durable_function!("parallel")
    };
}

/// Waits for the first of several futures. The winner is recorded, so it is the same on every replay.
///
/// `race!(name, [options,] { "arm" => future => expression, … })` awaits to the winner's expression. In
/// `"arm" => pattern = future => expression`, the expression can use the output of the future. The winner is recorded before
/// its expression runs. Then the other futures are dropped. An expression that may fail evaluates to a `Result`, so that `?`
/// comes after `.await`. A race is a scope for the call sites in its futures. Options, as for [`step!`](crate::step):
/// `key = value` or `ordered`, `was = "old name or path"`, `label = text`, `with = input`.
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
        $crate::__outside_durable_function!("race")
    };
}

/// Processes items in order, in batches sized to take a target time.
///
/// `batches!(name, items, [options,] |batch| body)` awaits to `Result<Vec<T>, StepError>`, with one value per batch. The items
/// are a slice, array or `Vec` in a local, which is borrowed. The body gets a slice of the items. Each batch is one step, so
/// an interrupted batch runs again as a whole. Batches start small and grow towards the target time.
///
/// Options: `target = Duration` (time of one batch; default: ten seconds), `max = n` (maximum number of items in a batch),
/// `with = |batch| input`, and as for [`step!`](crate::step): `retry = Retry`, `timeout = Duration`,
/// `was = "old name or path"`, `codec = codec`, `secret`.
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
        $crate::__outside_durable_function!("batches")
    };
}
