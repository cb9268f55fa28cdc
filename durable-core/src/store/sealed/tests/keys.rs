//! Selection of codecs: key rotation, missing and wrong keys.

use super::*;
use crate::store::{AdminStore, CheckpointStore as _, ExecutionStore, Filter, StoreErrorKind};

fn memory() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new())
}

#[tokio::test]
async fn an_unsealed_history_continues_sealed() {
    let inner = memory();
    let lease = leased(&*inner, "a").await;
    put(&*inner, &lease, records()[..3].to_vec(), None).await;
    let store = sealed(&inner, [k1()]);
    put(&store, &lease, records()[3..].to_vec(), None).await;
    assert_eq!(store.history(&id("a")).await.unwrap(), records());
    let page = store.load(&lease.fence, 0).await.unwrap();
    assert_eq!(page.records, records());
    let kept = inner.history(&id("a")).await.unwrap();
    assert_eq!(kept[..3], records()[..3]);
    let codec = kept[3].payload.as_ref().map(|payload| &*payload.codec);
    assert_eq!(codec, Some("json+veil:k1"));
    let input = existing(&store, "a").await.unwrap().input;
    assert_eq!(input, new("a").input);
}

#[tokio::test]
async fn the_first_key_seals_and_older_keys_open() {
    let inner = memory();
    let lease = leased(&sealed(&inner, [k1()]), "a").await;
    put(
        &sealed(&inner, [k1()]),
        &lease,
        records()[..3].to_vec(),
        None,
    )
    .await;
    let store = sealed(&inner, [k2(), k1()]);
    put(&store, &lease, records()[3..].to_vec(), None).await;
    assert_eq!(store.history(&id("a")).await.unwrap(), records());
    let kept = inner.history(&id("a")).await.unwrap();
    let codecs: Vec<_> = kept
        .iter()
        .flat_map(|record| [record.payload.as_ref().and_then(Payload::sealed_with)])
        .flatten()
        .collect();
    assert_eq!(codecs, ["veil:k1", "veil:k2", "veil:k2"]);
}

#[tokio::test]
async fn sealed_stores_can_be_nested() {
    let inner = memory();
    let store = sealed(&inner, [Arc::new(RunLength) as _]);
    let store = SealedStore::new(store, [k1()]).unwrap();
    for (n, update) in updates().into_iter().enumerate() {
        let name = n.to_string();
        let expected = written(&store, &name, update).await;
        let found = store.get(&id(&name)).await.unwrap();
        assert_eq!(untimed(found), untimed(expected));
        assert_eq!(store.history(&id(&name)).await.unwrap(), records());
    }
    let kept = inner.get(&id("0")).await.unwrap();
    assert_eq!(kept.input.codec, "json+veil:k1+runs:1");
}

#[tokio::test]
async fn a_missing_key_is_named() {
    let inner = memory();
    let [_, succeed, ..] = updates();
    written(&sealed(&inner, [k1()]), "a", succeed).await;
    leased(&sealed(&inner, [k2()]), "b").await;
    let store = sealed(&inner, [k2()]);
    let error = store.history(&id("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unusable);
    assert_eq!(
        error.to_string(),
        "the value of `charge` in execution `a` is sealed with `veil:k1`, and this store was opened \
         with `veil:k2`: open it with that codec too; nothing was changed"
    );
    let error = existing(&store, "a").await.unwrap_err();
    assert!(
        error.to_string().starts_with("the input in execution `a`"),
        "{error}"
    );
    store.get(&id("a")).await.unwrap_err();
    let listed = store.list(Filter::default()).await.unwrap();
    assert_eq!(listed[0], inner.get(&id("a")).await.unwrap());
    assert_eq!(listed[1].input, new("b").input);
}

#[tokio::test]
async fn a_wrong_key_is_detected_before_the_lease_is_taken() {
    let inner = memory();
    sealed(&inner, [k1()]).start(new("a")).await.unwrap();
    let before = inner.get(&id("a")).await.unwrap();
    let wrong: Arc<dyn PayloadCodec> = Arc::new(Veil("veil:k1", 0x11));
    let store = sealed(&inner, [wrong]);
    let claimed = store.claim(&id("a"), Timestamp::default(), TTL).await;
    let error = claimed.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let text = error.to_string();
    assert!(text.contains("`a`") && text.contains("`veil:k1`"), "{text}");
    assert_eq!(inner.get(&id("a")).await.unwrap(), before);
    leased(&sealed(&inner, [k1()]), "a").await;
}

#[tokio::test]
async fn unsealed_values_are_refused_by_sealed_only() {
    let inner = memory();
    for (n, update) in updates().into_iter().enumerate() {
        let name = n.to_string();
        written(&sealed(&inner, [k1()]), &name, update).await;
        let strict = sealed(&inner, [k1()]).sealed_only();
        strict.get(&id(&name)).await.unwrap();
        assert_eq!(strict.history(&id(&name)).await.unwrap(), records());
    }
    let lease = leased(&*inner, "plain").await;
    let strict = sealed(&inner, [k1()]).sealed_only();
    let error = strict.get(&id("plain")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    for record in &records()[1..] {
        put(&*inner, &lease, vec![record.clone()], None).await;
        let error = strict.history(&id("plain")).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}

#[test]
fn codecs_need_valid_and_distinct_names() {
    let open = |codecs: Vec<Arc<dyn PayloadCodec>>| SealedStore::new(MemoryStore::new(), codecs);
    let refused = |codecs| open(codecs).err().map(|error| error.kind());
    assert_eq!(refused(vec![]), Some(StoreErrorKind::Unusable));
    for name in ["", "veil", ":k", "veil:", "a+b:1", "a b:1", "a`:1", "é:1"] {
        let codec: Arc<dyn PayloadCodec> = Arc::new(Veil(name, 1));
        assert_eq!(
            refused(vec![codec]),
            Some(StoreErrorKind::Unusable),
            "{name}"
        );
    }
    assert_eq!(refused(vec![k1(), k1()]), Some(StoreErrorKind::Unusable));
    let store = open(vec![k2(), k1()]).unwrap();
    assert_eq!(format!("{store:?}"), "SealedStore(`veil:k2`, `veil:k1`)");
}
