//! Operations that move while they are in progress.

use durable::store::CallbackStore;

use durable::prelude::*;
use durable::{Completion, Kind, Payload, Status, Timestamp};

use super::deploy::{Deploy, Kept, World};
use super::scopes::builds;
use crate::support::Crash;

const ALL: [Kept; 3] = [Kept::Memory, Kept::Sqlite, Kept::Forgetful];

async fn record_of(deploy: &Deploy, kind: Kind) -> durable::Record {
    let history = deploy.history().await;
    history
        .into_iter()
        .find(|record| record.kind == kind)
        .unwrap()
}

/// A timer keeps its start.
#[tokio::test(start_paused = true)]
async fn a_timer_keeps_its_due_time() {
    builds!(world, {
        let _ = world;
        wait!("pause", 1.hour()).await;
        Ok(String::new())
    } => {
        let _ = world;
        scope!("night", {
            wait!("pause", was = "../pause", 9.hours()).await;
            Ok("slept".to_owned())
        })
        .await
        .map_err(Into::into)
    });
    for kept in ALL {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let began = record_of(&deploy, Kind::Wait).await;
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "slept");
        assert_eq!(report.drift, []);
        let ended = record_of(&deploy, Kind::Wait).await;
        assert_eq!(ended.id, began.id);
        assert_eq!(ended.parent, began.parent);
        assert_eq!(ended.status, Status::Succeeded);
        let slept = ended.ended_at.unwrap().since(began.started_at);
        assert!(slept < 2.hours(), "{kept:?}: {slept:?}");
    }
}

/// A step between two attempts continues with the next attempt.
#[tokio::test(start_paused = true)]
async fn a_step_keeps_its_attempts() {
    builds!(world, {
        scope!("pay", {
            let later = Retry::fixed(1.hour());
            Ok(step!("charge", retry = later, world.refuse("attempt").await).await?)
        })
        .await
        .map_err(Into::into)
    } => {
        let charge = step!("charge", was = "/pay/charge", |step| {
            world.effects.note(format!("attempt {}", step.attempt()));
            Ok::<_, BoxError>("paid".to_owned())
        });
        let charge = charge.await?;
        Ok(charge)
    });
    for kept in ALL {
        let deploy = Deploy::new(kept);
        assert_eq!(deploy.first(before::handler).await, ["attempt"]);
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "paid");
        assert_eq!(deploy.world.effects.all(), ["attempt 2"]);
        assert_eq!(report.drift, []);
    }
}

/// A body that may have run does not run again, wherever its call site is now.
#[tokio::test(start_paused = true)]
async fn an_interrupted_at_most_once_step_stays_interrupted() {
    builds!(world, {
        scope!("pay", { Ok(step!("charge", at_most_once, world.rest().await).await?) }).await?;
        Ok(String::new())
    } => {
        scope!("pay", { Ok(step!("mail", world.note("mail").await).await?) }).await?;
        let charged = step!("charge", at_most_once, was = "/pay/charge", world.note("charge").await).await;
        Ok(charged.unwrap_err().kind().to_string())
    });
    for kept in [Kept::Memory, Kept::Sqlite] {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "was interrupted");
        assert_eq!(deploy.world.effects.all(), ["mail"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_keeps_its_id() {
    builds!(world, {
        let _ = world;
        scope!("approval", { Ok(callback!("asked").await?) }).await.map_err(Into::into)
    } => {
        let _ = world;
        let answer: String = callback!("decision", was = "approval/asked").await?;
        Ok(answer)
    });
    for kept in ALL {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let callback = record_of(&deploy, Kind::Callback).await;
        let store = deploy.process(Crash::Never).await;
        let answer = Completion::Succeed(Payload::json("\"yes\""));
        let now = Timestamp::from_millis(1_800_000_100_000);
        let id = callback.handle.unwrap().parse().unwrap();
        store.complete(&id, answer, now).await.unwrap();
        drop(store);
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "yes");
        assert_eq!(report.drift, []);
    }
}

#[durable]
async fn child(world: &World) -> Result<String, BoxError> {
    step!("rest", world.rest().await).await?;
    Ok(step!("child", world.note("child").await).await?)
}

#[tokio::test(start_paused = true)]
async fn an_invoked_execution_stays_the_child() {
    builds!(world, {
        let _ = world;
        Ok(invoke!("child", child()).await?)
    } => {
        let _ = world;
        let done = map!("children", ["one"], key = |key| key, |_| {
            Ok(invoke!("child", was = "/child", child()).await?)
        });
        Ok(done.await.into_values()?.join(""))
    });
    for kept in ALL {
        let deploy = Deploy::new(kept);
        deploy.first(before::handler).await;
        let began = record_of(&deploy, Kind::Invoke).await;
        let report = deploy.then(after::handler, Crash::Never).await.unwrap();
        assert_eq!(report.output.unwrap(), "child");
        let ended = record_of(&deploy, Kind::Invoke).await;
        assert_eq!((ended.id, ended.handle), (began.id, began.handle));
        assert_eq!(deploy.world.effects.all(), ["child"]);
    }
}
