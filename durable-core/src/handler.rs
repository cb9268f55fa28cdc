//! Code shared by all expansions of `#[durable]`. rustc's messages name lines of this file, so it contains nothing else.

/// Implements the traits of a handler. `$passed` are the arguments of `__body` after the context and
/// the undo bodies. The caller passes the names of `run`'s parameters, because macro hygiene would hide
/// names chosen here.
#[doc(hidden)]
#[macro_export]
macro_rules! __handler {
    (
        $handler:ident, $name:literal, $version:expr, $was:expr,
        $state:ty, $input:ty, $result:ty,
        |$state_name:ident, $input_name:ident| ($($passed:ident),* $(,)?)
    ) => {
        impl $crate::private::Durable for $handler {
            const NAME: &'static str = $name;
            type Input = $input;
            type Output = <$result as $crate::private::HandlerResult>::Output;
            fn manifest() -> &'static $crate::private::Manifest {
                const { &$crate::private::Manifest::new($name, $version, &$was, &__SITES) }
            }
        }
        impl $crate::private::Handler<$state> for $handler {
            fn run<'b, 'a: 'b>(
                cx: &'b $crate::private::Context,
                $state_name: &'a $state,
                undo: &'b $crate::private::Undo<'a>,
                $input_name: $input,
            ) -> impl $crate::private::Future<Output = $crate::private::Outcome<Self>>
                + ::core::marker::Send
                + 'b {
                async move {
                    let result = __body(cx, undo, $($passed),*).await;
                    <$result as $crate::private::HandlerResult>::boxed(result)
                }
            }
        }
    };
}
