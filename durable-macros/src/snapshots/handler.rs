/// Documented.
#[allow(dead_code)]
pub fn etl() -> __durable_etl {
    __durable_etl
}
#[doc(hidden)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct __durable_etl;
const _: () = {
    use ::durable::__private as __p;
    static __SITES: [__p::Site; 3] = [
        __p::site!(Step, "read"),
        __p::site!(Step, "load").keyed(),
        __p::site!(Wait, "breathe").ordered(),
    ];
    impl __p::Durable for __durable_etl {
        const NAME: &'static str = "etl";
        type Input = Job;
        type Output = <Result<Summary, BoxError> as __p::HandlerResult>::Output;
        fn manifest() -> &'static __p::Manifest {
            const { &__p::Manifest::new("etl", __p::None, &[], &__SITES) }
        }
    }
    impl __p::Handler<App> for __durable_etl {
        fn run<'a>(
            __durable_cx: &'a __p::Context,
            __durable_state: &'a App,
            __durable_input: Job,
        ) -> impl __p::Future<Output = __p::Outcome<Self>> + ::core::marker::Send + 'a {
            #[allow(dead_code)]
            #[inline]
            async fn __body(
                __durable_cx: &__p::Context,
                app: &App,
                job: Job,
            ) -> Result<Summary, BoxError> {
                let rows = {
                    let __claim = __durable_cx.claim(&__SITES[step!(@ 0)]);
                    async {
                        let mut __op = __p::step(__claim, __p::Json);
                        loop {
                            match __op.next().await {
                                __p::Next::Done(__result) => break __result,
                                __p::Next::Run(__step) => {
                                    let __out = __op
                                        .run(__p::options(), async { read(&job.path).await })
                                        .await;
                                    __op.record(__p::attempted(__out)).await;
                                }
                            }
                        }
                    }
                }
                    .await?;
                for (n, batch) in rows.chunks(500).enumerate() {
                    {
                        let __claim = __durable_cx
                            .claim_keyed(&__SITES[step!(@ 1)], __p::key(&(n)));
                        async {
                            let mut __op = __p::step(__claim, __p::Json);
                            loop {
                                match __op.next().await {
                                    __p::Next::Done(__result) => break __result,
                                    __p::Next::Run(__step) => {
                                        let __out = __op
                                            .run(
                                                __p::options().retry(Retry::none()),
                                                async {
                                                    let step = &__step;
                                                    insert(&app.db, batch, step).await
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
                    __p::wait(
                            __durable_cx.claim(&__SITES[wait!(@ 2)]),
                            Duration::from_secs(1),
                        )
                        .await;
                }
                Ok(Summary)
            }
            async move {
                let __result = __body(__durable_cx, __durable_state, __durable_input)
                    .await;
                <Result<Summary, BoxError> as __p::HandlerResult>::boxed(__result)
            }
        }
    }
};
