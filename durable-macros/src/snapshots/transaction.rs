fn charge() -> ::durable::__private::WithState<
    impl ::durable::__private::Handler<
        App,
        Input = i64,
        Output = <Result<i64, BoxError> as ::durable::__private::HandlerResult>::Output,
    >,
> {
    use ::durable::__private as __p;
    #[derive(Clone, Copy)]
    struct __Handler;
    static __SITES: [__p::Site; 1] = [__p::site!(Step, "charge")];
    __p::handler!(
        __Handler, "charge", __p::None, [], App, i64, Result < i64, BoxError >, |
        __state, __input | (__state, __input)
    );
    async fn __body<'__u>(
        __cx: &__p::Context,
        __undo: &__p::Undo<'__u>,
        app: &'__u App,
        cents: i64,
    ) -> Result<i64, BoxError> {
        let paid = {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 0)]), __p::Json);
            async {
                let mut __tx = __p::transaction(__op, &app.pool);
                while let __p::Some(__step) = __tx.next().await {
                    let (__runner, mut __work) = __tx.split();
                    let __options = __p::options().retry(&(policy));
                    let __attempt = async {
                        match __work.begin().await {
                            __p::Begun::Open(mut __open) => {
                                let __out = async {
                                    let tx = __p::handle(&mut __open);
                                    pay(tx, cents).await
                                }
                                    .await;
                                __work.end(__open, __p::returned(__out)).await
                            }
                            __p::Begun::Ended(__ended) => __ended,
                        }
                    };
                    let __out = __runner.run_with(__options, __p::pin!(__attempt)).await;
                    __tx.record(__out).await;
                }
                let mut __op = __tx.into_step();
                __op.done()
            }
        }
            .await?;
        Ok(paid)
    }
    __p::WithState(__Handler)
}
