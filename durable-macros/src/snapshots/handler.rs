/// Documented.
#[allow(dead_code)]
pub fn etl() -> ::durable::__private::WithState<
    impl ::durable::__private::Handler<
        App,
        Input = Job,
        Output = <Result<
            Summary,
            BoxError,
        > as ::durable::__private::HandlerResult>::Output,
    >,
> {
    use ::durable::__private as __p;
    #[derive(Clone, Copy)]
    struct __Handler;
    static __SITES: [__p::Site; 3] = [
        __p::site!(Step, "read"),
        __p::site!(Step, "load").keyed(),
        __p::site!(Wait, "breathe").ordered(),
    ];
    __p::handler!(
        __Handler, "etl", __p::None, [], App, Job, Result < Summary, BoxError >, |
        __state, __input | (__state, __input)
    );
    #[allow(dead_code)]
    #[inline]
    async fn __body<'__u>(
        __cx: &__p::Context,
        __undo: &__p::Undo<'__u>,
        app: &'__u App,
        job: Job,
    ) -> Result<Summary, BoxError> {
        let rows = {
            let mut __op = __p::step(__cx.register(&__SITES[step!(@ 0)]), __p::Json);
            async {
                while let __p::Some(__step) = __op.next().await {
                    let __attempt = async { read(&job.path).await };
                    let __out = __op.run(__p::pin!(__attempt)).await;
                    __op.record(__p::attempted(__out));
                }
                __op.done()
            }
        }
            .await?;
        for (n, batch) in rows.chunks(500).enumerate() {
            {
                let mut __op = __p::step(
                    __cx.register_keyed(&__SITES[step!(@ 1)], __p::key(&(n))),
                    __p::Json,
                );
                async {
                    while let __p::Some(__step) = __op.next().await {
                        let __options = __p::options().retry(&(Retry::none()));
                        let __attempt = async {
                            let step = &__step;
                            insert(&app.db, batch, step).await
                        };
                        let __out = __op.run_with(__options, __p::pin!(__attempt)).await;
                        __op.record(__p::attempted(__out));
                    }
                    __op.done()
                }
            }
                .await?;
            __p::wait(__cx.register(&__SITES[wait!(@ 2)]), Duration::from_secs(1)).await;
        }
        Ok(Summary)
    }
    __p::WithState(__Handler)
}
