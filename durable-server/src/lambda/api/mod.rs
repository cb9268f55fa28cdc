//! The Lambda API: `Invoke` and the durable execution operations.

mod callbacks;
mod durable;
mod invoke;
mod lists;
mod request;
mod response;
mod signature;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response};

use super::engine::Engine;
use super::service::Refusal;
use request::{Call, Route};
use response::refuse;

pub(super) fn router(engine: Arc<Engine>) -> Router {
    Router::new().fallback(answer_request).with_state(engine)
}

async fn answer_request(State(engine): State<Arc<Engine>>, request: Request) -> Response<Body> {
    if let Err(foreign) = engine.guard.check(request.headers()) {
        let refusal = Refusal::new(403, "AccessDeniedException", foreign.message());
        return refuse(&refusal);
    }
    let call = match Call::read(request, engine.request_timeout).await {
        Ok(call) => call,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(secret) = &engine.secret_key
        && let Err(invalid) = call.verify(secret)
    {
        return refuse(&Refusal::new(403, invalid.code(), invalid.message()));
    }
    let Some(route) = Route::of(&call.method, &call.path) else {
        let text = format!("There is no operation {} {}", call.method, call.path);
        return refuse(&Refusal::new(404, "UnknownOperationException", text));
    };
    let answered = match route {
        // Runs on the task of the connection, as it may wait long and must end with its client.
        Route::Invoke(function) => invoke::invoke(&engine, &function, call).await,
        route => {
            let work = tokio::spawn(async move { answer_route(&engine, route, &call).await });
            let stopped = |error: tokio::task::JoinError| Refusal::internal(error.to_string());
            work.await.unwrap_or_else(|error| Err(stopped(error)))
        }
    };
    answered.unwrap_or_else(|refusal| refuse(&refusal))
}

async fn answer_route(
    engine: &Arc<Engine>,
    route: Route,
    call: &Call,
) -> Result<Response<Body>, Refusal> {
    match route {
        Route::Invoke(_) => Err(Refusal::internal("`Invoke` has a separate path")),
        Route::Checkpoint(arn) => durable::checkpoint(engine, &arn, call).await,
        Route::State(arn) => durable::state(engine, &arn, call).await,
        Route::Execution(arn) if call.method == Method::DELETE => {
            durable::delete(engine, &arn).await
        }
        Route::Execution(arn) => durable::get(engine, &arn, call).await,
        Route::History(arn) => lists::history(engine, &arn, call).await,
        Route::Stop(arn) => durable::stop(engine, &arn, call).await,
        Route::Pause(arn) => durable::pause(engine, &arn, call).await,
        Route::Resume(arn) => durable::resume(engine, &arn, call).await,
        Route::List(function) => lists::executions(engine, &function, call).await,
        Route::Callback(id, act) => callbacks::answer(engine, &id, act, call).await,
    }
}
