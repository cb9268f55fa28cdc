use durable_core::store::{Count, NewExecution};
use durable_core::{Labels, Payload};
use rusqlite::StatementStatus;

use super::*;
use crate::labels;
use crate::schema::{MIGRATIONS, migrate};

const PATH: &str = "x.db";

/// Opens a database with `count` executions. All have the label `env=prod`, and every hundredth `tenant=acme`.
fn filled(count: usize) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    migrate(&conn, Path::new(PATH), MIGRATIONS).unwrap();
    let insert = "INSERT INTO executions (key, id, handler, status, created_at, updated_at, input_codec, input, labels) \
                  VALUES (?1, ?2, 'etl', 'queued', 1, 1, 'json', x'31', ?3)";
    for number in 1..=count {
        let mut labels = Labels::new().with("env", "prod").unwrap();
        if number % 100 == 0 {
            labels = labels.with("tenant", "acme").unwrap();
        }
        let mut new = NewExecution::new(
            format!("run-{number:05}").parse().unwrap(),
            "etl",
            Payload::json("1"),
            Timestamp::default(),
        );
        new.labels = labels.clone();
        let key = i64::try_from(number).unwrap();
        conn.prepare_cached(insert)
            .unwrap()
            .execute((key, new.id.as_str(), labels.encode()))
            .unwrap();
        labels::insert(&conn, key, &Execution::queued(new)).unwrap();
    }
    conn
}

fn labelled(labels: &[(&str, &str)]) -> Filter {
    let labels = labels.iter();
    let labels = labels.fold(Labels::new(), |labels, (key, value)| {
        labels.with(*key, *value).unwrap()
    });
    Filter {
        labels,
        ..Filter::default()
    }
}

/// Lists executions. Returns their number and the number of instructions that SQLite ran.
fn listed(conn: &Connection, filter: &Filter) -> (usize, i32) {
    let found = list(conn, Path::new(PATH), filter).unwrap();
    let statement = conn.prepare_cached(SELECT_LABELLED).unwrap();
    let steps = statement.get_status(StatementStatus::VmStep);
    assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
    assert_eq!(statement.get_status(StatementStatus::Sort), 0);
    (found.len(), steps)
}

#[test]
fn a_filter_by_label_reads_only_executions_with_the_label() {
    let filter = Filter {
        limit: 5,
        ..labelled(&[("tenant", "acme")])
    };
    let (few, few_steps) = listed(&filled(1000), &filter);
    let (many, many_steps) = listed(&filled(4000), &filter);
    assert_eq!((few, many), (5, 5));
    assert_eq!(few_steps, many_steps, "instructions for the same page");
}

#[test]
fn a_filter_by_label_uses_the_index() {
    let conn = filled(1);
    let mut plan = conn
        .prepare(&format!("EXPLAIN QUERY PLAN {SELECT_LABELLED}"))
        .unwrap();
    let nulls = rusqlite::params_from_iter([rusqlite::types::Null; 13]);
    let lines = plan.query_map(nulls, |row| row.get::<_, String>(3));
    let lines: Vec<_> = lines.unwrap().map(Result::unwrap).collect();
    let plan = lines.join("\n");
    assert!(
        plan.contains(
            "SEARCH l USING PRIMARY KEY (label=? AND value=? AND execution_id>? AND execution_id<?)"
        ),
        "{plan}"
    );
    assert!(
        plan.contains("SEARCH o USING PRIMARY KEY (label=? AND value=? AND execution_id=?)"),
        "{plan}"
    );
    assert!(!plan.contains("SCAN executions"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE"), "{plan}");
}

#[test]
fn executions_must_have_all_labels_of_the_filter() {
    let conn = filled(500);
    let found = |labels| listed(&conn, &labelled(labels)).0;
    assert_eq!(found(&[("env", "prod")]), 500);
    assert_eq!(found(&[("env", "prod"), ("tenant", "acme")]), 5);
    assert_eq!(found(&[("env", "test"), ("tenant", "acme")]), 0);
    assert_eq!(found(&[("tenant", "acme"), ("zone", "eu")]), 0);
}

/// Opens a database with `count` executions of two handlers, of which every hundredth has failed.
fn started(count: usize) -> Connection {
    let conn = Connection::open_in_memory().unwrap();
    migrate(&conn, Path::new(PATH), MIGRATIONS).unwrap();
    let fill = format!(
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count}) INSERT INTO executions (key, id, \
         handler, status, created_at, updated_at, input_codec, input) SELECT n, printf('run-%08d', n), iif(n % 3, 'etl', \
         'mail'), iif(n % 100, 'succeeded', 'failed'), n * 7919 % 100003, n, 'json', x'31' FROM n"
    );
    conn.execute_batch(&fill).unwrap();
    conn
}

/// Instructions that SQLite has run for a prepared statement.
fn steps(conn: &Connection, select: &str) -> i32 {
    let statement = conn.prepare_cached(select).unwrap();
    assert_eq!(
        statement.get_status(StatementStatus::FullscanStep),
        0,
        "{select}"
    );
    assert_eq!(statement.get_status(StatementStatus::Sort), 0, "{select}");
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn a_page_of_the_newest_is_read_by_index() {
    let filters = [
        ("all", indexed::SELECT_ALL, Filter::default()),
        (
            "failed",
            indexed::SELECT_GROUP.not_running,
            Filter {
                status: vec![ExecutionStatus::Failed],
                ..Filter::default()
            },
        ),
        (
            "of a handler",
            indexed::SELECT_GROUP.not_running,
            Filter {
                handler: Some("mail".to_owned()),
                ..Filter::default()
            },
        ),
    ];
    for (what, select, filter) in filters {
        let filter = Filter {
            limit: 50,
            order: Order::Newest { after: None },
            ..filter
        };
        let read = |count| {
            let conn = started(count);
            let found = list(&conn, Path::new(PATH), &filter).unwrap();
            assert_eq!(found.len(), 50, "{what}");
            let times = found
                .windows(2)
                .all(|pair| pair[0].created_at >= pair[1].created_at);
            assert!(times, "{what}");
            steps(&conn, select) + steps(&conn, counts::NEXT_HANDLER)
        };
        let (few, many) = (read(20_000), read(80_000));
        assert!(
            many < few + few / 10,
            "{what}: {few} and {many} instructions"
        );
    }
}

#[test]
fn few_executions_of_a_status_are_looked_up() {
    let conn = started(60_000);
    conn.execute_batch("UPDATE executions SET status = 'blocked' WHERE key % 9000 = 7")
        .unwrap();
    let mut filter = Filter {
        status: vec![ExecutionStatus::Blocked],
        limit: 4,
        ..Filter::default()
    };
    let ids = |filter: &Filter| {
        let found = list(&conn, Path::new(PATH), filter).unwrap();
        let found = found.into_iter().map(|execution| execution.id.to_string());
        found.collect::<Vec<_>>()
    };
    let all = [
        "run-00000007",
        "run-00009007",
        "run-00018007",
        "run-00027007",
    ];
    assert_eq!(ids(&filter), all);
    filter.after = Some(all[2].parse().unwrap());
    assert_eq!(
        ids(&filter),
        [
            "run-00027007",
            "run-00036007",
            "run-00045007",
            "run-00054007"
        ]
    );
    let scanned = conn.prepare_cached(SELECT_LIST).unwrap();
    assert_eq!(
        scanned.get_status(StatementStatus::VmStep),
        0,
        "executions were scanned"
    );
    drop(scanned);
    filter.status = vec![ExecutionStatus::Succeeded];
    assert_eq!(ids(&filter)[0], "run-00018008");
}

#[test]
fn a_queue_or_a_prefix_is_read_by_index() {
    let queued = Filter {
        queue: Some("mail".to_owned()),
        limit: 20,
        ..Filter::default()
    };
    let prefixed = Filter {
        prefix: Some("run-000190".to_owned()),
        limit: 20,
        ..Filter::default()
    };
    let newest = |filter: &Filter| Filter {
        order: Order::Newest { after: None },
        ..filter.clone()
    };
    for (what, select, filter) in [
        ("queue", SELECT_QUEUED, queued.clone()),
        ("prefix", SELECT_LIST, prefixed.clone()),
        ("newest of a queue", indexed::SELECT_QUEUE, newest(&queued)),
        (
            "newest of a prefix",
            indexed::SELECT_PREFIX,
            newest(&prefixed),
        ),
    ] {
        let read = |count| {
            let conn = started(count);
            conn.execute_batch(
                "UPDATE executions SET queue = 'mail' WHERE key <= 20000 AND key % 500 = 3",
            )
            .unwrap();
            let found = list(&conn, Path::new(PATH), &filter).unwrap();
            assert_eq!(found.len(), 20, "{what}");
            let statement = conn.prepare_cached(select).unwrap();
            assert_eq!(statement.get_status(StatementStatus::FullscanStep), 0);
            statement.get_status(StatementStatus::VmStep)
        };
        let (few, many) = (read(20_000), read(60_000));
        assert!(few > 0, "{what} is read by another statement");
        assert_eq!(few, many, "instructions for the same page: {what}");
    }
}

#[test]
fn a_page_begins_after_an_id_within_the_prefix() {
    let conn = started(300);
    let ids = |after: &str, prefix: &str| {
        let filter = Filter {
            after: Some(after.parse().unwrap()),
            prefix: Some(prefix.to_owned()),
            limit: 2,
            ..Filter::default()
        };
        let found = list(&conn, Path::new(PATH), &filter).unwrap();
        let numbers = found
            .iter()
            .map(|execution| execution.id.as_str().trim_start_matches("run-0"));
        numbers
            .map(|number| number.parse().unwrap())
            .collect::<Vec<i64>>()
    };
    assert_eq!(ids("run-00000010", "run-0000002"), [20, 21]);
    assert_eq!(ids("run-00000028", "run-0000002"), [29]);
    assert_eq!(ids("run-00000027-more", "run-0000002"), [28, 29]);
    assert!(ids("run-0000003", "run-0000002").is_empty());
}

#[test]
fn counts_read_a_part_of_a_large_store() {
    let count = |executions| {
        let conn = started(executions);
        let counts = counts(&conn, Path::new(PATH), 4000).unwrap();
        let steps = steps(&conn, counts::COUNT.not_running) + steps(&conn, counts::NEXT_HANDLER);
        (counts, steps)
    };
    let (small, _) = count(900);
    assert!(small.complete && small.total() == 900, "{small:?}");
    let (some, few) = count(30_000);
    let (_, many) = count(90_000);
    let failed = |count: &&Count| count.status == ExecutionStatus::Failed;
    let failed: u64 = some
        .counts
        .iter()
        .filter(failed)
        .map(|count| count.executions)
        .sum();
    assert_eq!(failed, 300, "small groups are counted in full: {some:?}");
    assert!(!some.complete && some.total() <= 4000, "{some:?}");
    assert!(many < few + few / 2, "{few} and {many} instructions");
}

#[test]
fn running_executions_are_found_by_their_leases() {
    let read = |count| {
        let conn = started(count);
        conn.execute_batch(
            "UPDATE executions SET status = 'running' WHERE key IN (3, 4, 5);
             INSERT INTO leases (execution, fence, owner, expires_at) SELECT key, 1, 'a', 1 FROM executions WHERE \
             status = 'running'",
        )
        .unwrap();
        let filter = |order| Filter {
            status: vec![ExecutionStatus::Running],
            handler: Some("etl".to_owned()),
            order,
            ..Filter::default()
        };
        let found = |order| {
            let found = list(&conn, Path::new(PATH), &filter(order)).unwrap();
            let ids = found.into_iter().map(|execution| execution.id.to_string());
            ids.collect::<Vec<_>>()
        };
        let newest = Order::Newest { after: None };
        assert_eq!(found(Order::default()), ["run-00000004", "run-00000005"]);
        assert_eq!(found(newest), ["run-00000005", "run-00000004"]);
        let counts = counts(&conn, Path::new(PATH), usize::MAX).unwrap();
        let groups = counts.counts.iter().map(|count| {
            let Count {
                handler, status, ..
            } = count;
            (status.as_str(), handler.as_str(), count.executions)
        });
        let groups: Vec<_> = groups.collect();
        assert!(groups.contains(&("running", "etl", 2)), "{groups:?}");
        assert!(groups.contains(&("running", "mail", 1)), "{groups:?}");
        assert_eq!(counts.total(), count as u64);
        let by_state =
            "SELECT 1 FROM executions INDEXED BY executions_state WHERE status = 'running'";
        let error = conn.prepare(by_state).unwrap_err().to_string();
        assert!(
            error.contains("no query solution"),
            "the index has them too: {error}"
        );
        let statements = [counts::COUNT.running, indexed::SELECT_GROUP.running];
        statements.map(|select| {
            let statement = conn.prepare_cached(select).unwrap();
            statement.get_status(StatementStatus::VmStep)
        })
    };
    let (few, many) = (read(1000), read(4000));
    assert!(few.iter().all(|steps| *steps > 0), "other statements ran");
    assert_eq!(few, many, "instructions for the same executions");
}

#[test]
fn an_execution_is_small_by_the_length_of_its_values() {
    let conn = filled(1);
    let id = "run-00001".parse().unwrap();
    let found = |input: i64, output: Option<i64>| {
        let update = "UPDATE executions SET input = zeroblob(?1), output_codec = CASE WHEN ?2 IS NULL THEN NULL ELSE \
                      'json' END, output = CASE WHEN ?2 IS NULL THEN NULL ELSE zeroblob(?2) END";
        assert_eq!(conn.execute(update, (input, output)).unwrap(), 1);
        small(&conn, Path::new(PATH), &id).unwrap().is_some()
    };
    assert!(found(65_536, None));
    assert!(!found(65_537, None));
    assert!(found(65_530, Some(6)));
    assert!(!found(65_530, Some(7)));
}
