fn operations() -> ::durable::__private::WithState<
    impl ::durable::__private::Handler<
        App,
        Input = Job,
        Output = <Result<(), BoxError> as ::durable::__private::HandlerResult>::Output,
    >,
> {
    use ::durable::__private as __p;
    #[derive(Clone, Copy)]
    struct __Handler;
    static __SITES: [__p::Site; 18] = [
        __p::site!(Step, "room"),
        __p::site!(Undo, "undo").within(0),
        __p::site!(Poll, "ready"),
        __p::site!(WaitForCallback, "answer"),
        __p::site!(Callback, "callback").within(3),
        __p::site!(Step, "submit").within(3),
        __p::site!(Invoke, "child").keyed(),
        __p::site!(Invoke, "far"),
        __p::site!(Map, "files"),
        __p::site!(Branch, "item").keyed().within(8).concurrent(),
        __p::site!(Step, "parse").within(9),
        __p::site!(Parallel, "both"),
        __p::site!(Branch, "branch").keyed().within(11).concurrent(),
        __p::site!(Wait, "wait").within(12),
        __p::site!(Branch, "branch").keyed().within(11).concurrent(),
        __p::site!(Race, "first"),
        __p::site!(Wait, "wait").within(15),
        __p::site!(Batch, "load").keyed(),
    ];
    __p::handler!(
        __Handler, "operations", __p::None, [], App, Job, Result < (), BoxError >, |
        __state, __input | (__state, __state, __input)
    );
    async fn __body<'__u>(
        __cx: &__p::Context,
        __undo: &__p::Undo<'__u>,
        __state: &'__u App,
        app: &'__u App,
        job: Job,
    ) -> Result<(), BoxError> {
        {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 0)]), __p::Json)
                .undoable();
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __attempt = async { book().await };
                    let __out = __op.run(__p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out));
                }
                __op.taken_back_by(
                    __undo,
                    &__SITES[step!(@ 1)],
                    move |room| async move { cancel(room).await },
                );
                __op.done()
            }
        }
            .await?;
        {
            let __operation = __cx.register(&__SITES[poll!(@ 2)]);
            let mut __op = __p::poll(__operation, __p::Json, __p::Json);
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __p::Some(seen) = __op.state(|| 0) else {
                        continue;
                    };
                    let __options = __p::options();
                    let __attempt = async { check(seen).await };
                    let __out = __op.run(__options, __p::pin!(__attempt)).await;
                    __op.record(__p::checked(__out), __p::pace(pause).attempts(9)).await;
                }
                __op.done()
            }
        }
            .await?;
        let answer = {
            let mut __op = __p::submitting(
                __cx.register(&__SITES[callback!(@ 3)]),
                &__SITES[callback!(@ 4)],
                __p::limits().timeout(pause),
                __p::Json,
            );
            async {
                match __op.enter().await {
                    __p::Enter::Done(__result) => __result,
                    __p::Enter::Run((__cx, __id)) => {
                        let __submitted = {
                            let mut __op = __p::step(
                                __cx.register(&__SITES[callback!(@ 5)]),
                                __p::Json,
                            );
                            async {
                                while let __p::Some(__step) = __op.next().await {
                                    let __attempt = async {
                                        let id = __id.as_str();
                                        mail(id).await
                                    };
                                    let __out = __op.run(__p::pin!(__attempt)).await;
                                    __op.record(__p::attempted(__out));
                                }
                                __op.done()
                            }
                        }
                            .await;
                        __op.finish(__submitted).await
                    }
                }
            }
        };
        __p::invoke(
                __cx.register_keyed(&__SITES[invoke!(@ 6)], __p::key(&(app))),
                __state,
                child,
                job,
                __p::invoking(),
            )
            .await?;
        __p::invoke_named(
                __cx.register(&__SITES[invoke!(@ 7)]),
                __p::text("function"),
                1,
                __p::invoking(),
            )
            .await?;
        {
            let __operation = __cx.register(&__SITES[map!(@ 8)]);
            let __items = __p::items(&files);
            async {
                let __started = __p::start_branches(
                        __operation,
                        __p::batch_options().concurrency(4),
                    )
                    .await;
                let mut __branches = __p::Vec::new();
                for __item in __items {
                    let __key = {
                        let file = &__item;
                        __p::key(&(file.name))
                    };
                    let __slot = (__started.keyed(&__SITES[map!(@ 9)], &__key), __item);
                    let __branch = async {
                        let (__operation, file) = __p::moved(__slot);
                        let mut __op = __p::scope(__operation, __p::Json);
                        match __op.enter().await {
                            __p::Enter::Done(__result) => __result,
                            __p::Enter::Run(__child) => {
                                let __cx = &__child;
                                let __out = __child
                                    .body(async {
                                        {
                                            let mut __op = __p::step(
                                                __cx.register(&__SITES[step!(@ 10)]),
                                                __p::Json,
                                            );
                                            async {
                                                while let __p::Some(__step) = __op.next().await {
                                                    let __attempt = async { parse(file).await };
                                                    let __out = __op.run(__p::pin!(__attempt)).await;
                                                    __op.record(__p::attempted(__out));
                                                }
                                                __op.done()
                                            }
                                        }
                                            .await
                                    })
                                    .await;
                                __op.finish(__p::finished(__out)).await
                            }
                        }
                    };
                    __branches.push((__key, __branch));
                }
                __started.run(__branches).await
            }
        }
            .await;
        {
            let __operation = __cx.register(&__SITES[parallel!(@ 11)]);
            async {
                let __started = __p::start_branches(
                        __operation,
                        __p::batch_options().flat(),
                    )
                    .await;
                let __branches = __p::Vec::from([
                    {
                        let __operation = __started
                            .keyed(&__SITES[parallel!(@ 12)], "mail");
                        __p::branch(
                            "mail",
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
                                                __p::wait(__cx.register(&__SITES[wait!(@ 13)]), pause)
                                                    .await;
                                                Ok(1)
                                            })
                                            .await;
                                        __op.finish(__p::finished(__out)).await
                                    }
                                }
                            },
                        )
                    },
                    {
                        let __operation = __started
                            .keyed(&__SITES[parallel!(@ 14)], "post");
                        __p::branch(
                            "post",
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
                                                Ok(2)
                                            })
                                            .await;
                                        __op.finish(__p::finished(__out)).await
                                    }
                                }
                            },
                        )
                    },
                ]);
                __started.run(__branches).await
            }
        }
            .await;
        {
            let __operation = __cx.register(&__SITES[race!(@ 15)]);
            async {
                let __race = __p::race(__operation, &["answer", "late"]).await;
                let (mut __arm0, mut __arm1) = {
                    let __cx = __race.inside();
                    (
                        __p::arm(answer),
                        __p::arm(__p::wait(__cx.register(&__SITES[wait!(@ 16)]), pause)),
                    )
                };
                match __race.first(&mut [&mut __arm0, &mut __arm1]).await {
                    0 => {
                        let value = __arm0.output().await;
                        value
                    }
                    _ => none(),
                }
            }
        }
            .await;
        {
            let __size = __p::batch_size().max(100);
            let mut __op = __p::batches(
                __cx,
                &__SITES[batches!(@ 17)],
                &rows,
                __size,
                __p::Json,
            );
            async {
                while let __p::Some(__step) = __op.next().await {
                    let rows = __op.batch();
                    let __options = __p::options();
                    let __attempt = async { insert(rows).await };
                    let __out = __op.run(__options, __p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out)).await;
                }
                __op.done()
            }
        }
            .await?;
        __p::continue_as::<__Handler, _>(continue_as!(@ __cx), job).await
    }
    __p::WithState(__Handler)
}
