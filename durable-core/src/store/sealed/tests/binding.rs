//! Contents of the inner store, and the contexts that sealed bytes are bound to.

use super::*;
use crate::store::{
    AdminStore, CheckpointStore as _, ExecutionStore, StoreErrorKind, refuse_sealed,
};

#[tokio::test]
async fn the_inner_store_contains_no_readable_values() {
    for update in updates() {
        let inner = Arc::new(MemoryStore::new());
        let store = sealed(&inner, [k1()]);
        let expected = written(&store, "a", update).await;
        let kept = inner.get(&id("a")).await.unwrap();
        let history = inner.history(&id("a")).await.unwrap();
        assert_ne!(untimed(kept.clone()), untimed(expected.clone()));
        let errors = history.iter().filter_map(|record| record.error.as_ref());
        let mut texts: Vec<String> = errors.map(|e| serde_json::to_string(e).unwrap()).collect();
        texts.push(serde_json::to_string(&kept.error).unwrap());
        texts.extend(kept.report.clone());
        texts.push(format!("{kept:?} {history:?}"));
        let values = history.iter().filter_map(|record| record.payload.as_ref());
        let values = values.chain([&kept.input]).chain(&kept.output);
        texts.extend(values.map(|value| String::from_utf8_lossy(&value.data).into_owned()));
        for text in texts {
            assert!(!text.contains(SECRET), "{text}");
        }
        assert_eq!(store.history(&id("a")).await.unwrap(), records());
        let found = store.get(&id("a")).await.unwrap();
        assert_eq!(untimed(found), untimed(expected));
    }
}

#[tokio::test]
async fn errors_and_reports_name_their_codec_without_the_key() {
    let inner = Arc::new(MemoryStore::new());
    let [_, _, fail, block] = updates();
    written(&sealed(&inner, [k1()]), "failed", fail).await;
    written(&sealed(&inner, [k1()]), "blocked", block).await;
    let failed = inner.get(&id("failed")).await.unwrap();
    let error = failed.error.unwrap();
    assert_eq!(
        error.to_string(),
        "`pay` timed out after 3 attempts: sealed with `veil:k1`"
    );
    assert_eq!(error.sealed_with(), Some("veil:k1"));
    assert_eq!((error.type_name(), error.chain().len()), ("", 0));
    let blocked = inner.get(&id("blocked")).await.unwrap();
    let report = blocked.readable_report();
    assert_eq!(report, Some("The report is sealed with `veil:k1`."));
    let opened = sealed(&inner, [k1()]).get(&id("blocked")).await.unwrap();
    assert_eq!(opened.readable_report(), opened.report.as_deref());
}

/// Applies `change` to the sealed records of execution `a`, and returns the error of reading them.
async fn changed(change: impl FnOnce(&mut Vec<Record>)) -> StoreError {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let lease = leased(&store, "a").await;
    put(&store, &lease, records(), None).await;
    let mut kept = inner.history(&id("a")).await.unwrap();
    change(&mut kept);
    put(&*inner, &lease, kept, None).await;
    let error = store.load(&lease.fence, 0).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let history = store.history(&id("a")).await.unwrap_err();
    assert_eq!(history.to_string(), error.to_string());
    error
}

#[tokio::test]
async fn changed_bytes_do_not_open() {
    let error = changed(|kept| {
        let payload = kept[1].payload.as_mut().unwrap();
        let mut bytes = payload.data.to_vec();
        bytes[40] ^= 1;
        payload.data = bytes.into();
    });
    assert_eq!(
        error.await.to_string(),
        "the value of `charge` in execution `a` cannot be opened with `veil:k1`: either the store \
         was opened with the wrong key for that name, or the stored bytes have changed; use the right \
         key, or restore a backup; nothing was changed"
    );
    let error = changed(|kept| {
        let sealed = kept[2].error.as_mut().unwrap().sealed.as_mut().unwrap();
        sealed.data = sealed.data.slice(1..);
    });
    let text = error.await.to_string();
    assert!(text.starts_with("the error of `notify`"), "{text}");
}

#[tokio::test]
async fn moved_bytes_do_not_open() {
    changed(|kept| {
        let moved = kept[3].payload.take();
        kept[3].payload = std::mem::replace(&mut kept[1].payload, moved);
    })
    .await;
    changed(|kept| {
        let moved = kept[4].error.take();
        kept[4].error = std::mem::replace(&mut kept[2].error, moved);
    })
    .await;
    changed(|kept| kept[1].id = kept[5].id).await;
    changed(|kept| {
        let sealed = kept[3].error.as_ref().unwrap().sealed.as_ref().unwrap();
        kept[3].payload = Some((**sealed).clone());
    })
    .await;
    changed(|kept| kept[1].payload.as_mut().unwrap().codec = "xml+veil:k1".into()).await;
}

#[tokio::test]
async fn outcomes_moved_to_another_execution_do_not_open() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let [_, succeed, fail, block] = updates();
    for (n, update) in [succeed, fail, block].into_iter().enumerate() {
        let (from, to) = (format!("from{n}"), format!("to{n}"));
        written(&store, &from, update).await;
        let source = inner.get(&id(&from)).await.unwrap();
        let update = match (source.output, source.error, source.report) {
            (Some(output), ..) => ExecutionUpdate::Succeed { output },
            (_, Some(error), _) => ExecutionUpdate::Fail { error },
            (_, _, Some(report)) => ExecutionUpdate::Block { report },
            _ => continue,
        };
        let lease = leased(&store, &to).await;
        put(&*inner, &lease, Vec::new(), Some(update)).await;
        let error = store.get(&id(&to)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn a_repeated_start_returns_the_opened_input() {
    let inner = Arc::new(MemoryStore::new());
    let store = sealed(&inner, [k1()]);
    let started = store.start(new("a")).await.unwrap();
    let Started::Created(created) = started else {
        panic!("{started:?}");
    };
    assert_eq!(created.input, new("a").input);
    assert_eq!(existing(&store, "a").await.unwrap(), created);
}

#[test]
fn sealed_errors_survive_serialization() {
    let sealed = error("pay").seal(Payload {
        codec: "json+veil:k1".into(),
        data: vec![0, 255].into(),
    });
    let text = serde_json::to_string(&sealed).unwrap();
    assert!(text.ends_with(r#""sealed":"json+veil:k1 00ff"}"#), "{text}");
    assert_eq!(
        serde_json::from_str::<OperationError>(&text).unwrap(),
        sealed
    );
    let damaged = text.replace("00ff", "00f");
    serde_json::from_str::<OperationError>(&damaged).unwrap_err();
}

#[tokio::test]
async fn values_that_are_still_sealed_are_refused() {
    let inner = Arc::new(MemoryStore::new());
    let plain = written(&*inner, "plain", ExecutionUpdate::Suspend { wake_at: None }).await;
    refuse_sealed(&plain, &records()).unwrap();
    for (n, update) in updates().into_iter().enumerate() {
        let name = n.to_string();
        written(&sealed(&inner, [k1()]), &name, update).await;
        let mut kept = inner.get(&id(&name)).await.unwrap();
        refuse_sealed(&kept, &[]).unwrap_err();
        kept.input = plain.input.clone();
        let ended = kept.output.is_some() || kept.error.is_some();
        assert_eq!(refuse_sealed(&kept, &[]).is_err(), ended);
    }
    for record in inner.history(&id("0")).await.unwrap() {
        let outcome = record.payload.is_some() || record.error.is_some();
        assert_eq!(refuse_sealed(&plain, &[record]).is_err(), outcome);
    }
}
