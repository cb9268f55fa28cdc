//! The sync, whatever happens to its process.

use durable::testing::{crash_everywhere, shuffled};

use super::*;

#[tokio::test]
async fn it_survives_a_crash_anywhere() {
    let from = Cursor { page: 2, copied: 0 };
    let crashes = crash_everywhere(sync, |_| Api, from.clone()).await.unwrap();
    assert!(crashes.count() >= 50, "{crashes:?}");
    shuffled(sync, |_| Api, from).await.unwrap();
}
