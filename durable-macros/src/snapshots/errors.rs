::core::compile_error! {
    "durable::D013: the name \"same\" is taken by the call site in line 1: a name is what replay looks up, so give one of them another: `step!(\"other name\", …)`"
}
fn errors() -> __durable_errors {
    __durable_errors
}
#[doc(hidden)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
struct __durable_errors;
const _: () = {
    use ::durable::__private as __p;
    static __SITES: [__p::Site; 4] = [
        __p::site!(Step, "same"),
        __p::site!(Step, "same"),
        __p::site!(Step, "outer"),
        __p::site!(Step, "inner"),
    ];
    impl __p::Durable for __durable_errors {
        const NAME: &'static str = "errors";
        type Input = ();
        type Output = <Result<(), BoxError> as __p::HandlerResult>::Output;
        fn manifest() -> &'static __p::Manifest {
            const { &__p::Manifest::new("errors", __p::None, &[], &__SITES) }
        }
    }
    impl<__S: ::core::marker::Sync> __p::Handler<__S> for __durable_errors {
        fn run<'a>(
            __durable_cx: &'a __p::Context,
            __durable_state: &'a __S,
            __durable_input: (),
        ) -> impl __p::Future<Output = __p::Outcome<Self>> + ::core::marker::Send + 'a {
            #[allow(unused)]
            async fn __body(__durable_cx: &__p::Context) -> Result<(), BoxError> {
                {
                    let __claim = __durable_cx.claim(&__SITES[step!(@ 0)]);
                    async {
                        let mut __op = __p::step(__claim, __p::Json);
                        loop {
                            match __op.next().await {
                                __p::Next::Done(__result) => break __result,
                                __p::Next::Run(__step) => {
                                    let __out = __op
                                        .run(__p::options(), async { one().await })
                                        .await;
                                    __op.record(__p::attempted(__out)).await;
                                }
                            }
                        }
                    }
                }
                    .await?;
                {
                    let __claim = __durable_cx.claim(&__SITES[step!(@ 1)]);
                    async {
                        let mut __op = __p::step(__claim, __p::Json);
                        loop {
                            match __op.next().await {
                                __p::Next::Done(__result) => break __result,
                                __p::Next::Run(__step) => {
                                    let __out = __op
                                        .run(__p::options(), async { one().await })
                                        .await;
                                    __op.record(__p::attempted(__out)).await;
                                }
                            }
                        }
                    }
                }
                    .await?;
                {
                    let __claim = __durable_cx.claim(&__SITES[step!(@ 2)]);
                    async {
                        let mut __op = __p::step(__claim, __p::Json);
                        loop {
                            match __op.next().await {
                                __p::Next::Done(__result) => break __result,
                                __p::Next::Run(__step) => {
                                    let __out = __op
                                        .run(
                                            __p::options(),
                                            async {
                                                ::core::compile_error! {
                                                    "durable::D017: `step!` inside the body of a `step!`: that body runs once and is skipped on replay; move it out, or make the outer one a `scope!`"
                                                }
                                                    .await
                                            },
                                        )
                                        .await;
                                    __op.record(__p::attempted(__out)).await;
                                }
                            }
                        }
                    }
                }
                    .await?;
                Ok(())
            }
            async move {
                let __result = __body(__durable_cx).await;
                <Result<(), BoxError> as __p::HandlerResult>::boxed(__result)
            }
        }
    }
};
