//! `with = …`: an operation is never answered with the outcome of a different input.

use durable::prelude::*;
use durable::store::ExecutionStore as _;
use durable::testing::{TestRun, World};
use durable::{Durable, Fingerprint, Handler, IntoHandler};
use serde::Serialize;
use serde::de::DeserializeOwned;

async fn pay(order: &str) -> Result<String, BoxError> {
    Ok(format!("receipt of {order}"))
}

type Orders = Vec<String>;

fn orders(names: &[&str]) -> Orders {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The list that the first run sees, and the one that all later runs see.
struct List {
    first: Orders,
    later: Orders,
    runs: std::sync::atomic::AtomicU32,
}

impl List {
    fn new(first: &[&str], later: &[&str]) -> Self {
        Self {
            first: orders(first),
            later: orders(later),
            runs: Default::default(),
        }
    }

    fn now(&self) -> Orders {
        let run = self.runs.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if run == 0 {
            self.first.clone()
        } else {
            self.later.clone()
        }
    }
}

/// Runs against a list that is replaced after the first wait.
async fn run_with_lists<F>(
    handler: F,
    first: &[&str],
    later: &[&str],
) -> (Result<Vec<String>, String>, World)
where
    F: IntoHandler,
    F::Handler: Handler<List> + Durable<Input = (), Output = Vec<String>>,
{
    let test = TestRun::new(handler);
    let world = test.world();
    let run = test.state(&List::new(first, later)).run("a", ()).await;
    let ended = match run.blocked() {
        Some(report) => Err(report.to_owned()),
        None => Ok(run.output().unwrap().clone()),
    };
    (ended, world)
}

macro_rules! blocks {
    ($name:ident, $list:ident, $body:block, $operation:literal) => {
        #[tokio::test]
        async fn $name() {
            #[durable]
            async fn handler($list: &List) -> Result<Vec<String>, BoxError> {
                let $list = $list.now();
                let receipts = async $body;
                let receipts: Result<Vec<String>, BoxError> = receipts.await;
                wait!("pause", Duration::from_secs(1)).await;
                receipts
            }
            let (same, _) = run_with_lists(handler, &["a", "b"], &["a", "b"]).await;
            assert_eq!(same.unwrap().len(), 2);
            let (other, _) = run_with_lists(handler, &["a", "b"], &["c", "a"]).await;
            let report = other.unwrap_err();
            println!("{report}\n");
            let wanted = concat!("`", $operation, "` runs with another input than it was recorded with");
            assert!(report.contains(wanted), "{report}");
            assert!(report.contains("with.rs:"), "{report}");
        }
    };
}

blocks!(
    a_step,
    list,
    {
        let mut receipts = Vec::new();
        for (n, order) in list.iter().enumerate() {
            receipts.push(step!("pay", key = n, with = order, pay(order).await).await?);
        }
        Ok(receipts)
    },
    "pay[0]"
);

blocks!(
    a_recorded_value,
    list,
    {
        let mut receipts = Vec::new();
        for (n, order) in list.iter().enumerate() {
            receipts.push(record!("note", key = n, with = (order, n), order.clone()).await);
        }
        Ok(receipts)
    },
    "note[0]"
);

blocks!(
    items,
    list,
    {
        let paid = map!("orders", list, with = |order| order, |order| Ok(step!(
            "pay",
            pay(&order).await
        )
        .await?));
        Ok(paid.await.into_values()?)
    },
    "item[0]"
);

blocks!(
    a_complete_map,
    list,
    {
        let paid = map!("orders", &list, with = list, |order| Ok(step!(
            "pay",
            pay(order).await
        )
        .await?));
        Ok(paid.await.into_values()?)
    },
    "orders"
);

blocks!(
    batches,
    list,
    {
        let paid = batches!("pay", list, max = 1, with = |batch| batch, |batch| pay(
            &batch[0]
        )
        .await);
        Ok(paid.await?)
    },
    "pay[0..1]"
);

blocks!(
    complete_batches,
    list,
    {
        let paid = batches!(
            "pay",
            list,
            max = 1,
            with = list.len() + list[0].len() + usize::from(list[0] == "a"),
            |batch| pay(&batch[0]).await
        );
        Ok(paid.await?)
    },
    "pay[0..1]"
);

blocks!(
    a_scope,
    list,
    {
        let mut receipts = Vec::new();
        for (n, order) in list.iter().enumerate() {
            let paid = scope!("order", key = n, with = order, {
                Ok(step!("pay", pay(order).await).await?)
            });
            receipts.push(paid.await?);
        }
        Ok(receipts)
    },
    "order[0]"
);

blocks!(
    a_timer,
    list,
    {
        wait!("first", with = list[0], Duration::from_secs(1)).await;
        Ok(list.clone())
    },
    "first"
);

blocks!(
    a_race,
    list,
    {
        let first = race!("first", with = list, {
            "paid" => paid = step!("pay", pay(&list[0]).await) => paid,
            "late" => wait!("late", Duration::from_secs(60)) => Ok(String::new()),
        });
        Ok(vec![first.await?, String::new()])
    },
    "first"
);

#[durable]
async fn child(order: String) -> Result<String, BoxError> {
    Ok(order)
}

blocks!(
    another_function,
    list,
    {
        let called = call!("called", with = list[0], child(list[0].clone())).await?;
        Ok(vec![called, String::new()])
    },
    "called"
);

blocks!(
    another_execution,
    list,
    {
        let invoked = invoke!("invoked", with = list[0], child(list[0].clone())).await?;
        Ok(vec![invoked, String::new()])
    },
    "invoked"
);

#[tokio::test]
async fn a_build_with_the_recorded_fingerprint_resumes_the_execution() {
    mod current {
        use super::*;

        #[durable]
        pub(super) async fn import(orders: Orders) -> Result<String, BoxError> {
            let paid = step!("pay", with = (&orders, 1), pay(&orders[0]).await).await?;
            wait!(Duration::from_secs(1)).await;
            Ok(paid)
        }
    }
    mod next {
        use super::*;

        #[durable]
        pub(super) async fn import(orders: Orders) -> Result<String, BoxError> {
            let paid = step!("pay", with = (&orders, 2), pay(&orders[0]).await).await?;
            wait!(Duration::from_secs(1)).await;
            Ok(paid)
        }
    }
    let test = TestRun::new(current::import).invocations(1);
    let world = test.world();
    let run = test.run("a", orders(&["a"])).await;
    let record = run.history().get("pay").unwrap().record().clone();
    let expected = Fingerprint::of(record.id, &(orders(&["a"]), 1)).unwrap();
    assert_eq!(record.fingerprint, Some(expected));
    let run = TestRun::new(next::import)
        .within(&world)
        .run("a", orders(&["a"]))
        .await;
    assert!(
        run.blocked()
            .unwrap()
            .contains("`pay` runs with another input"),
        "{run}"
    );
    let stored = world.store().get(&"a".parse().unwrap()).await.unwrap();
    assert_eq!(stored.status, durable::store::ExecutionStatus::Blocked);
    let run = TestRun::new(current::import)
        .within(&world)
        .run("a", orders(&["a"]))
        .await;
    assert_eq!(run.output().unwrap(), "receipt of a");
}

#[tokio::test]
async fn a_record_without_a_fingerprint_is_accepted() {
    mod without {
        use super::*;

        #[durable]
        pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
            step!("work", Ok::<_, BoxError>(n)).await?;
            wait!(Duration::from_secs(1)).await;
            Ok(n)
        }
    }
    mod with {
        use super::*;

        #[durable]
        pub(super) async fn import(n: u32) -> Result<u32, BoxError> {
            step!("work", with = n, Ok::<_, BoxError>(n)).await?;
            wait!(Duration::from_secs(1)).await;
            Ok(n)
        }
    }
    let test = TestRun::new(without::import).invocations(1);
    let world = test.world();
    let _ = test.run("a", 3).await;
    let run = TestRun::new(with::import).within(&world).run("a", 3).await;
    assert_eq!(run.output().unwrap(), &3);
}

#[tokio::test]
async fn an_input_that_json_cannot_represent_blocks() {
    #[durable]
    async fn pairs(_input: ()) -> Result<(), BoxError> {
        let pairs = std::collections::HashMap::from([((1, 2), 3)]);
        step!("work", with = pairs, Ok::<_, BoxError>(())).await?;
        Ok(())
    }
    let run = TestRun::new(pairs).run("a", ()).await;
    let report = run.blocked().unwrap();
    assert!(
        report.contains("cannot be written as JSON: key must be a string"),
        "{report}"
    );
}

#[test]
fn the_order_of_map_entries_does_not_change_the_fingerprint() {
    fn print<T: Serialize + DeserializeOwned>(value: &T) -> Fingerprint {
        Fingerprint::of(durable::OperationId::ROOT, value).unwrap()
    }
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let map =
        || std::collections::HashMap::<_, _>::from_iter(names.map(|name| (name.to_owned(), 1)));
    let first = print(&map());
    assert!((0..20).all(|_| print(&map()) == first));
    assert_ne!(print(&vec![1, 2]), print(&vec![2, 1]));
    assert_ne!(print(&"1".to_owned()), print(&1));
    assert_ne!(print(&vec![vec![1], vec![]]), print(&vec![vec![], vec![1]]));
    let other = Fingerprint::of(durable::OperationId::from_bytes([1; 16]), &1).unwrap();
    assert_ne!(print(&1), other);
}
