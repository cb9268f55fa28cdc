fn forms() -> ::durable::__private::AnyState<
    impl ::durable::__private::Handler<
        (),
        Input = (),
        Output = <Result<(), BoxError> as ::durable::__private::HandlerResult>::Output,
    >,
> {
    use ::durable::__private as __p;
    #[derive(Clone, Copy)]
    struct __Handler;
    static __SITES: [__p::Site; 9] = [
        __p::site!(Record, "new_v4"),
        __p::site!(Wait, "wait"),
        __p::site!(Scope, "part").keyed().was(&["old"]),
        __p::site!(Step, "block").within(2).secret(),
        __p::site!(Step, "moving").within(2),
        __p::site!(Call, "other"),
        __p::site!(Step, "joined"),
        __p::site!(Step, "nested").concurrent(),
        __p::site!(Step, "in tokens"),
    ];
    __p::handler!(
        __Handler, "forms", __p::None, [], (), (), Result < (), BoxError >, | __state,
        __input | (__state,)
    );
    async fn __body<'__u>(
        __cx: &__p::Context,
        __undo: &__p::Undo<'__u>,
        __state: &'__u (),
    ) -> Result<(), BoxError> {
        let id = {
            let __operation = __cx.register(&__SITES[record!(@ 0)]);
            async {
                let mut __op = __p::record(__operation, __p::Json);
                match __op.next().await {
                    __p::Next::Done(__value) => __value,
                    __p::Next::Run(_) => {
                        let __attempt = async { Uuid::new_v4() };
                        let __out = __op.run(__p::pin!(__attempt)).await;
                        __op.record(__out).await
                    }
                }
            }
        }
            .await;
        __p::wait_until(__cx.register(&__SITES[wait!(@ 1)]), __p::time(time)).await;
        {
            let __operation = __cx
                .register_keyed(
                    &__SITES[scope!(@ 2)],
                    __p::keys(&[&__p::key(&(a)), &__p::key(&(b))]),
                );
            async {
                let mut __op = __p::scope(__operation, __p::Json);
                match __op.enter().await {
                    __p::Enter::Done(__result) => __result,
                    __p::Enter::Run(__child) => {
                        let __cx = &__child;
                        let __out = __child
                            .body(async {
                                if let __p::Some(__never) = __p::never() {
                                    return __never;
                                }
                                {
                                    let mut __op = __p::step(
                                        __cx.register(&__SITES[step!(@ 3)]),
                                        __p::Json,
                                    );
                                    async {
                                        while let __p::Some(__step) = __op.next().await {
                                            let __attempt = async {
                                                if let __p::Some(__never) = __p::never() {
                                                    return __never;
                                                }
                                                first()?;
                                                ::core::result::Result::Ok(second().await?)
                                            };
                                            let __out = __op.run(__p::pin!(__attempt)).await;
                                            __op.record(__p::attempted(__out));
                                        }
                                        __op.done()
                                    }
                                }
                                    .await?;
                                ::core::result::Result::Ok(
                                    {
                                        let mut __op = __p::step(
                                            __cx.register(&__SITES[step!(@ 4)]),
                                            Shout,
                                        );
                                        async move {
                                            while let __p::Some(__step) = __op.next().await {
                                                let __attempt = async { take(id).await };
                                                let __out = __op.run(__p::pin!(__attempt)).await;
                                                __op.record(__p::attempted(__out));
                                            }
                                            __op.done()
                                        }
                                    }
                                        .await?,
                                )
                            })
                            .await;
                        __op.finish(__p::finished(__out)).await
                    }
                }
            }
        }
            .await?;
        __p::call(
                __cx.register(&__SITES[call!(@ 5)]),
                __state,
                __undo,
                other,
                execution!(@ __cx.execution()).id().to_string(),
                __p::Json,
            )
            .await?;
        join!(
            { let mut __op = __p::step(__cx.register(& __SITES[step!(@ 6)]), __p::Json);
            async { while let __p::Some(__step) = __op.next(). await { let __attempt =
            async { one(). await }; let __out = __op.run(__p::pin!(__attempt)). await;
            __op.record(__p::attempted(__out)); } __op.done() } }, async { { let mut __op
            = __p::step(__cx.register(& __SITES[step!(@ 7)]), __p::Json); async { while
            let __p::Some(__step) = __op.next(). await { let __attempt = async { one().
            await }; let __out = __op.run(__p::pin!(__attempt)). await; __op
            .record(__p::attempted(__out)); } __op.done() } } . await }
        );
        unknown_syntax!(
            => { let mut __op = __p::step(__cx.register(& __SITES[step!(@ 8)]),
            __p::Json); async { while let __p::Some(__step) = __op.next(). await { let
            __attempt = async { one(). await }; let __out = __op
            .run(__p::pin!(__attempt)). await; __op.record(__p::attempted(__out)); } __op
            .done() } }
        );
        Ok(())
    }
    __p::AnyState(__Handler)
}
