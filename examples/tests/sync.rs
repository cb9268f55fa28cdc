//! Tests of the sync.

use durable::testing::{crash_everywhere, shuffled};

use super::*;

#[tokio::test]
async fn survives_a_crash_at_any_point() {
    let from = Cursor { page: 2, copied: 0 };
    let crashes = crash_everywhere(sync, |_| Api, from.clone()).await.unwrap();
    assert!(crashes.count() >= 50, "{crashes:?}");
    shuffled(sync, |_| Api, from).await.unwrap();
}
