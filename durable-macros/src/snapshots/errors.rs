::core::compile_error! {
    "durable::D013: the name \"same\" is already used by the call site in line 1, and replay finds records by name: use another one, `step!(\"other name\", …)`"
}
fn errors() -> ::durable::__private::AnyState<
    impl ::durable::__private::Handler<
        (),
        Input = (),
        Output = <Result<(), BoxError> as ::durable::__private::HandlerResult>::Output,
    >,
> {
    use ::durable::__private as __p;
    #[derive(Clone, Copy)]
    struct __Handler;
    static __SITES: [__p::Site; 4] = [
        __p::site!(Step, "same"),
        __p::site!(Step, "same"),
        __p::site!(Step, "outer"),
        __p::site!(Step, "inner"),
    ];
    __p::handler!(
        __Handler, "errors", __p::None, [], (), (), Result < (), BoxError >, | __state,
        __input | ()
    );
    #[allow(unused)]
    async fn __body<'__u>(
        __cx: &__p::Context,
        __undo: &__p::Undo<'__u>,
    ) -> Result<(), BoxError> {
        {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 0)]), __p::Json);
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __attempt = async { one().await };
                    let __out = __op.run(__p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out));
                }
                __op.done()
            }
        }
            .await?;
        {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 1)]), __p::Json);
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __attempt = async { one().await };
                    let __out = __op.run(__p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out));
                }
                __op.done()
            }
        }
            .await?;
        {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 2)]), __p::Json);
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __attempt = async {
                        ::core::compile_error! {
                            "durable::D017: `step!` is inside the body of a `step!`, which a replay skips: move it out, or make the outer one a `scope!`"
                        }
                            .await
                    };
                    let __out = __op.run(__p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out));
                }
                __op.done()
            }
        }
            .await?;
        Ok(())
    }
    __p::AnyState(__Handler)
}
