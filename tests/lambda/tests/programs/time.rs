//! Clocks that differ, deadlines, and processes that end in the middle of a body.

use durable::prelude::*;
use durable_lambda_tests::{Config, Fault, Kind};

use crate::scene::{Scene, config, value};
use crate::subject::Log;

#[durable]
pub(crate) async fn sliced_beside(log: &Log, wait: u64) -> Result<u32, BoxError> {
    let many = async {
        for n in 0..45_u32 {
            step!("many", key = n, {
                log.note(&format!("many {n}"));
                Ok::<_, String>(())
            })
            .await?;
        }
        Ok::<_, BoxError>(())
    };
    let beside = scope!("beside", {
        wait!("pause", Duration::from_millis(wait * 1_000)).await;
        Ok::<_, BoxError>(1)
    });
    let (many, beside) = tokio::join!(many, beside);
    many?;
    Ok(beside?)
}

/// A slice ends with a timer that the service ends at once here, and what else was written with it may
/// end just then.
#[tokio::test]
async fn a_slice_that_takes_longer_than_its_timer_is_no_end() {
    let mut all = Vec::new();
    for step in 0..8_u64 {
        all.push(tokio::spawn(async move {
            let config = Config {
                deadline: Duration::from_millis(4_000),
                ..config()
            };
            let scene = Scene::new("sliced_beside", config).await;
            let call = Fault::Delay(Duration::from_millis(100));
            scene.fake.fault_from(1, call);
            let (_, ended) = scene.run(3_500 + 40 * step).await;
            assert_eq!(value(&ended), 1);
            let record = scene.well_behaved();
            let slices = record.updates().filter(|update| {
                update.kind == Kind::Wait && update.sub_type.as_deref() == Some("Slice")
            });
            assert!(slices.count() >= 1);
        }));
    }
    for one in all {
        one.await.unwrap();
    }
}
