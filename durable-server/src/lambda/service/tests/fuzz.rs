//! Random bytes and random updates: nothing panics, and the invariants hold.

use serde_json::{Value, json};

use super::*;

fn seed() -> u64 {
    let given = std::env::var("DURABLE_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    println!("DURABLE_SEED={seed}");
    seed
}

/// Creates a valid body and replaces part of it with noise.
fn body(random: &mut fastrand::Rng, token: &str) -> Vec<u8> {
    let body = json!({"CheckpointToken": token, "Updates": [updates(random)]});
    let mut bytes = body.to_string().into_bytes();
    for _ in 0..random.usize(..4) {
        let at = random.usize(..bytes.len());
        match random.u8(..3) {
            0 => bytes[at] = random.u8(..),
            1 => bytes.truncate(at),
            _ => bytes.insert(at, random.u8(..)),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn pick(random: &mut fastrand::Rng, all: &[&str]) -> String {
    all[random.usize(..all.len())].to_owned()
}

fn updates(random: &mut fastrand::Rng) -> Value {
    let kinds = ["STEP", "CONTEXT", "WAIT", "CALLBACK", "CHAINED_INVOKE"];
    let actions = ["START", "START", "SUCCEED", "FAIL", "RETRY", "CANCEL"];
    let kind = pick(random, &kinds);
    let id = format!("{}{}", &kind[..2], random.u8(..6));
    let mut update = update(&id, &kind, &pick(random, &actions), json!({}));
    if random.bool() {
        update["Payload"] = json!("1");
    }
    if random.u8(..4) == 0 {
        update["Error"] = json!({"ErrorType": "E"});
    }
    if random.u8(..4) == 0 {
        update["ParentId"] = json!(format!("CO{}", random.u8(..6)));
    }
    if kind == "WAIT" || random.u8(..9) == 0 {
        update["WaitOptions"] = json!({"WaitSeconds": random.i64(-1..4)});
    }
    if update["Action"] == "RETRY" {
        update["StepOptions"] = json!({"NextAttemptDelaySeconds": random.i64(0..4)});
    }
    if kind == "CALLBACK" {
        update["CallbackOptions"] = json!({"TimeoutSeconds": random.i64(-1..5), "HeartbeatTimeoutSeconds": random.i64(0..3)});
    }
    if kind == "CHAINED_INVOKE" {
        let function = pick(
            random,
            &["plain", "echo:$LATEST", "nobody", "elsewhere", ""],
        );
        update["ChainedInvokeOptions"] = json!({"FunctionName": function});
    }
    update
}

#[test]
fn noise_is_refused_without_a_panic() {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut bench = bench();
    bench.invoke();
    for _ in 0..20_000 {
        let token = bench.token.clone();
        let bytes = match random.u8(..4) {
            0 => (0..random.usize(..200)).map(|_| random.u8(..)).collect(),
            _ => body(&mut random, &token),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = token::checkpoint_execution(&text);
        let _ = token::callback_target(&text);
        let _ = token::Marker::read(&text, "4f1c");
        if let Ok(request) = serde_json::from_slice::<CheckpointRequest>(&bytes) {
            let at = bench.at();
            if let Ok(answer) = bench.execution.checkpoint(&request, &Functions, at) {
                let answer: Value = serde_json::from_str(&answer).unwrap();
                bench.token = answer["CheckpointToken"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
            }
        }
        if !bench.execution.is_running() {
            bench = super::bench();
            bench.invoke();
        }
        // Outputs of handlers are untrusted input too.
        let mut other = super::bench();
        other.invoke();
        let at = other.at();
        other.execution.output(&bytes, at);
    }
}

/// Performs a random action of the handler, an external party or the clock.
fn act(random: &mut fastrand::Rng, bench: &mut Bench) {
    let in_flight = bench.execution.invocation().is_some();
    match random.u8(..12) {
        0..=4 if in_flight => {
            let batch: Vec<Value> = (0..random.usize(..3)).map(|_| updates(random)).collect();
            let _ = bench.send(json!(batch));
        }
        5 if in_flight => bench.suspend(),
        6 if in_flight => {
            let at = bench.at();
            bench
                .execution
                .invocation_failed(ErrorObject::default(), at);
        }
        7 => bench.pass(random.u64(..1_500)),
        8 => {
            let at = bench.at();
            let _ = match random.bool() {
                true => bench.execution.pause(None, None, random.bool(), at),
                false => bench.execution.resume(None, None, at),
            };
        }
        9 => {
            let id = format!("CA{}", random.u8(..6));
            let callback = bench
                .execution
                .operation(&id)
                .and_then(|o| o.callback.clone());
            if let Some(callback) = callback {
                let at = bench.at();
                let outcome = CallbackOutcome::Succeeded(None);
                let _ = bench
                    .execution
                    .complete_callback(&id, &callback.id, outcome, at);
            }
        }
        10 => {
            let at = bench.at();
            let id = format!("CH{}", random.u8(..6));
            bench
                .execution
                .complete_invoke(&id, InvokeOutcome::Succeeded(None), at);
        }
        _ if bench.is_due() => drop(bench.invoke()),
        _ => bench.pass(100),
    }
}

#[test]
fn random_executions_keep_the_invariants() {
    let mut random = fastrand::Rng::with_seed(seed());
    for _ in 0..100 {
        let mut bench = bench();
        let mut closed: Vec<Option<Value>> = Vec::new();
        for _ in 0..120 {
            act(&mut random, &mut bench);
            // Ended operations never change, and the history has no gaps.
            let count = bench.execution.operations.len();
            closed.resize(count, None);
            for (at, before) in closed.iter_mut().enumerate().skip(1) {
                let operation = &bench.execution.operations[at];
                let now = bench.operation(&operation.id);
                if let Some(before) = &*before {
                    assert_eq!(*before, now);
                }
                *before = operation.status.is_closed().then_some(now);
            }
            bench.events();
            check_stored(&bench);
        }
    }
}

/// Checks that the stored changes contain the complete state.
fn check_stored(bench: &Bench) {
    let head = serde_json::to_string(&bench.execution.head).unwrap();
    let head: Head = serde_json::from_str(&head).unwrap();
    let json = serde_json::to_string(&bench.execution.operations).unwrap();
    let operations: Vec<Operation> = serde_json::from_str(&json).unwrap();
    let restored = Execution::restored(head, operations, Limits::default());
    assert_eq!(restored.next_due(), bench.execution.next_due());
    assert_eq!(
        restored.is_due(bench.now),
        bench.execution.is_due(bench.now)
    );
    assert_eq!(restored.visible(), bench.execution.visible());
}
