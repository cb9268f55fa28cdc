//! Durable functions in two versions, between which call sites move to other scopes.

use durable::prelude::*;

use crate::Effects;

impl Effects {
    /// Records an effect and returns it as the value of a step.
    fn record_value(&self, effect: impl std::fmt::Display) -> Result<String, String> {
        self.record(&effect);
        Ok(effect.to_string())
    }
}

#[durable(name = "inlined")]
pub(crate) async fn itemized(effects: &Effects) -> Result<String, BoxError> {
    let files = map!("files", ["a/1", "b]"], key = |file| file, |file| {
        let loaded = step!("load", effects.record_value(file)).await?;
        wait!("pause", Duration::from_secs(30)).await;
        Ok(loaded)
    });
    Ok(files.await.into_values()?.concat())
}

#[durable(name = "inlined")]
pub(crate) async fn inlined(effects: &Effects) -> Result<String, BoxError> {
    let charged = step!("charge", effects.record_value("charge")).await?;
    let all = scope!("all", {
        let mut all = String::new();
        for file in ["b]", "a/1"] {
            all += &*step!(
                "load",
                key = file,
                was = "/files/item[*]/load",
                effects.record_value("again")
            )
            .await?;
            wait!(
                "pause",
                key = file,
                was = "../files/item[*]/pause",
                Duration::from_secs(30)
            )
            .await;
        }
        Ok(all)
    });
    Ok(all.await? + &charged)
}

#[durable(name = "left")]
pub(crate) async fn paid_inside(effects: &Effects) -> Result<String, BoxError> {
    scope!("pay", {
        Ok(step!("charge", effects.record_value("charge")).await?)
    })
    .await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok("old".to_owned())
}

#[durable(name = "left")]
pub(crate) async fn paid_outside(effects: &Effects) -> Result<String, BoxError> {
    scope!("pay", {
        Ok(step!("print", effects.record_value("print")).await?)
    })
    .await?;
    wait!("pause", Duration::from_secs(30)).await;
    Ok(step!("charge", was = "pay/charge", effects.record_value("charge")).await?)
}
