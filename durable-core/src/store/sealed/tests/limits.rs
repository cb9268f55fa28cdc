//! The contract of stores and the limits of a sealed store.

use super::*;
use crate::store::{Capabilities, CheckpointStore as _, Durability, StoreErrorKind};

fn small() -> Arc<MemoryStore> {
    let mut limits = Capabilities::unlimited(Durability::Memory).with_max_value(1000);
    limits.max_batch = 40_000;
    Arc::new(MemoryStore::with_capabilities(limits))
}

#[cfg(feature = "conformance")]
#[tokio::test]
async fn a_sealed_store_conforms() {
    crate::conformance::run(async || Arc::new(sealed(&Arc::default(), [k1()])) as _)
        .await
        .unwrap();
    crate::conformance::run(async || Arc::new(sealed(&small(), [k1()])) as _)
        .await
        .unwrap();
}

#[cfg(all(feature = "conformance", feature = "aes-gcm"))]
#[tokio::test]
async fn an_encrypted_store_conforms() {
    let codec = || Arc::new(crate::store::AesGcm::new("k1", &[1; 32])) as _;
    crate::conformance::run(async || Arc::new(sealed(&Arc::default(), [codec()])) as _)
        .await
        .unwrap();
}

async fn write(store: &SealedStore, name: &str, records: Vec<Record>) -> Result<(), StoreError> {
    let lease = leased(store, name).await;
    let batch = Batch {
        id: 1,
        records,
        children: Vec::new(),
        seen: 0,
        messages_after: None,
        execution: None,
    };
    store.checkpoint(&lease.fence, Arc::new(batch)).await?;
    Ok(())
}

/// Returns a record whose value does not compress.
fn value(seq: u64, bytes: usize) -> Record {
    let mut record = step(seq, "value", Status::Succeeded);
    let data: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
    record.payload = Some(Payload {
        codec: "bytes".into(),
        data: data.into(),
    });
    record
}

#[tokio::test]
async fn values_up_to_the_limit_are_stored() {
    for (codec, limit) in [(k1(), 936), (Arc::new(RunLength) as _, 500)] {
        let store = sealed(&small(), [codec]);
        assert_eq!(store.capabilities().max_value, limit);
        write(&store, "fits", vec![value(1, limit)]).await.unwrap();
        let error = write(&store, "exceeds", vec![value(1, limit + 1)]).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
        assert!(error.to_string().contains(&limit.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_full_batch_is_stored() {
    let store = sealed(&small(), [k1()]);
    let limit = store.capabilities().max_batch;
    assert_eq!(limit, 40_000 / 96 * 64);
    let records = (1..=(limit / 64) as u64).map(|seq| value(seq, 64));
    write(&store, "a", records.collect()).await.unwrap();
}

#[test]
fn a_store_too_small_for_sealing_has_a_limit_of_zero() {
    let limits = Capabilities::unlimited(Durability::Memory).with_max_value(40);
    let store = MemoryStore::with_capabilities(limits);
    assert_eq!(sealed(&Arc::new(store), [k1()]).capabilities().max_value, 0);
}
