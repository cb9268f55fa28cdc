//! The forms that `#[durable]` understands, for where it is missing.
//!
//! The attribute replaces them. What it prints keeps the macro, as `step!(@ …)`, so that editors show the
//! documentation below and an import of it counts as used.

/// Runs a body once and keeps its value.
///
/// `step!([name,] [options,] body)` awaits to `Result<T, StepError>`. The body is an expression of type
/// `Result<T, impl Into<BoxError>>`; it may await and borrows what it uses. Without a name the step is
/// called after the function it awaits.
///
/// Options: `key = value` or `ordered` (in a loop), `retry = Retry`, `timeout = Duration` (of one
/// attempt), `at_most_once`, `move` (the body takes its captures by value), `was = "old name"`,
/// `label = text`, `codec = codec`, `secret`. A body may begin with `|step|`, a [`StepInfo`](crate::StepInfo).
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
        ::core::compile_error!("`step!` works only inside a function marked `#[durable]`")
    };
}

/// Keeps a value that cannot fail and would differ on replay: the clock, a random number.
///
/// `record!([name,] [options,] expression)` awaits to the value. Options: `key = value` or `ordered`,
/// `was = "old name"`, `label = text`, `codec = codec`, `secret`.
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
        ::core::compile_error!("`record!` works only inside a function marked `#[durable]`")
    };
}

/// Waits, without a process while it lasts.
///
/// `wait!([name,] [options,] duration)` or `wait!([name,] [options,] until = time)` awaits to `()`. The
/// timer starts when the expression is evaluated. Options: `key = value` or `ordered` (a wait in a loop
/// is `ordered` by itself), `was = "old name"`, `label = text`.
///
/// ```
/// use durable::prelude::*;
///
/// #[durable]
/// async fn remind(days: u64) -> Result<(), BoxError> {
///     for _ in 0..days {
///         wait!(Duration::from_secs(86_400)).await;
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
        ::core::compile_error!("`wait!` works only inside a function marked `#[durable]`")
    };
}

/// Groups durable calls under a name: names inside need only be unique inside.
///
/// `scope!(name, [options,] { … })` awaits to `Result<T, ScopeError>`, where the block ends with a
/// `Result`. Options: `key = value` or `ordered`, `was = "old name"`, `label = text`, `codec = codec`,
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
        ::core::compile_error!("`scope!` works only inside a function marked `#[durable]`")
    };
}

/// Runs another durable function inside this execution, in a scope of its own.
///
/// `call!([name,] [options,] function(input))` awaits to `Result<O, CallError>`. The function gets this
/// one's state by itself. Options: `key = value` or `ordered`, `was = "old name"`, `label = text`,
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
        ::core::compile_error!("`call!` works only inside a function marked `#[durable]`")
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
        ::core::compile_error!("`execution!` works only inside a function marked `#[durable]`")
    };
}
