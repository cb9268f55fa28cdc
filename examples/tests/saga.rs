//! Tests of the trip.

use durable::testing::{crash_everywhere, shuffled};

use super::*;

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    for to in ["Lisbon", "Atlantis"] {
        let crashes = crash_everywhere(trip, |_| Agency, to.to_owned())
            .await
            .unwrap();
        assert!(crashes.count() >= 25, "{crashes:?}");
        shuffled(trip, |_| Agency, to.to_owned()).await.unwrap();
    }
}
