#!/usr/bin/env python3
"""Mutation tests: break the engine in small ways and check that a test fails for each of them.

    tests/mutants/run.py             run all mutants
    tests/mutants/run.py fence race  run the mutants whose names contain one of the words
    tests/mutants/run.py --check     only check that every mutant applies to the sources; takes no time

The script works on a copy of the files known to git and leaves the checkout unchanged. Each mutant replaces a text
that must occur exactly once; a mutant that no longer applies is an error. The test suites run in order until one
fails, which kills the mutant. The exit code is 0 if all mutants are killed.

CI only runs `--check`, because a full run builds the engine once for each mutant.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

CORE = "durable-core/src/"

SUITES = {
    "engine": ["-p", "durably-core", "--features", "testing,conformance", "--lib"],
    "kit": ["-p", "durable-tests", "--test", "kit"],
    "integration": ["-p", "durable-tests", "--test", "it"],
    "transaction": ["-p", "durable-transaction-tests", "--test", "it", "sqlite"],
}

# name, file, text to replace, replacement
MUTANTS = [
    ("lost update: retried outcomes are not written", "engine/write.rs",
     "records.push(state.record.clone());",
     "if state.record.attempt < 2 { records.push(state.record.clone()); }"),
    ("lost update: an acknowledgement also covers records queued later", "engine/operation.rs",
     "if self.persistence == Persistence::Volatile {\n            self.persistence = Persistence::Durable;",
     "if true || self.persistence == Persistence::Volatile {\n            self.persistence = Persistence::Durable;"),
    ("double apply: a recorded step runs again", "engine/decide.rs",
     "        if status.is_terminal() {\n            let follows",
     "        if status.is_terminal() && !(state.is_recorded() && kind == Kind::Step) {\n            let follows"),
    ("double apply: an outcome is returned before it is durable", "engine/decide.rs",
     "return if state.is_durable() || follows {", "return if true || state.is_durable() || follows {"),
    ("double apply: the loser of a race is written", "engine/write.rs",
     "if is_stale || closed && !is_timer && !is_undo {",
     "if is_stale || false && closed && !is_timer && !is_undo {"),
    ("double apply: operations start in a finished scope", "engine/decide.rs",
     "if over && !is_undo && !reentered {", "if false && over && !is_undo && !reentered {"),
    ("double apply: started operations are written although the execution is blocked", "runtime/driver/mod.rs",
     "self.shared.lock().engine.discard_starts();", ""),
    ("wrong order: moved operations are not detected", "engine/drift.rs",
     "if order >= last {", "if true || order >= last {"),
    ("wrong order: steps are undone first to last", "runtime/operation/undo.rs",
     "for entry in entries.into_iter().rev() {", "for entry in entries {"),
    ("wrong order: a live operation is ordered before earlier ones", "engine/scope.rs",
     "None => self.last.saturating_add(SPACING),", "None => self.last,"),
    ("wrong result: a changed kind is not detected", "engine/mismatch.rs",
     "if state.record.kind == site.kind {", "if true || state.record.kind == site.kind {"),
    ("wrong result: two operations have the same identity", "engine/mismatch.rs",
     "if let Some(first) = state.site {", "if let Some(first) = state.site.filter(|_| false) {"),
    ("wrong result: a changed input is not detected", "engine/register.rs",
     "if current != recorded && !input.matches_rounded", "if false && current != recorded && !input.matches_rounded"),
    ("wrong result: earlier names from `was` are ignored", "engine/register.rs",
     "None if !site.was.is_empty() => self.register_earlier(scope, site, &occurrence),",
     "None if false && !site.was.is_empty() => self.register_earlier(scope, site, &occurrence),"),
    ("wrong result: a race's winner is not durable before its arm runs", "runtime/operation/race.rs",
     "                self.operation.durable().await;\n                winner", "                winner"),
    ("wrong result: a replay lets another arm win", "runtime/operation/race.rs",
     "        arms,\n        winner,\n    }\n}", "        arms,\n        winner: winner.filter(|_| false),\n    }\n}"),
    ("lost message: the loser of a race keeps its message", "engine/inbox.rs",
     "            self.inbox.waiting.insert(message.number, message);\n            self.updated", "            self.updated"),
    ("lost message: a receiver is not woken by what another gives back", "engine/inbox.rs",
     "            self.updated.extend(&self.inbox.receivers);\n        } else", "        } else"),
    ("double apply: the winner of a race gives its message back", "engine/inbox.rs",
     "        self.inbox.read.insert(op);\n", ""),
    ("lost message: a rewind keeps the messages of removed records", "store/memory/admin.rs",
     "                    entry.unmark_messages(first);\n", ""),
    ("double apply: a received message is received again", "engine/inbox.rs",
     "let Some(message) = self.inbox.waiting.remove(&number) else {",
     "let Some(message) = self.inbox.waiting.get(&number).cloned() else {"),
    ("lost message: a start drops its message", "store/memory/executions.rs",
     "        entry.send(message, now)?;\n", ""),
    ("wrong result: a start sends its message to another handler's execution", "client/start.rs",
     "        check_started(&started, &new, was)?;\n        let", "        let"),
    ("missing fence: a process that lost its lease writes", "store/memory/entry.rs",
     "if !self.is_current(fence) {\n            return Err(fence.lost());",
     "if false && !self.is_current(fence) {\n            return Err(fence.lost());"),
    ("missing fence: a suspended execution is written", "store/memory/entry.rs",
     "_ => Err(fence.lost()),\n            };\n        }\n        for record",
     "_ => Ok(self.ack(batch)),\n            };\n        }\n        for record"),
    ("missing lease: two processes run one execution", "store/memory/entry.rs",
     "if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {\n            let message",
     "if self.lease.as_ref().is_some_and(|_| false) {\n            let message"),
    ("lost event: a callback's outcome is overwritten", "store/memory/entry.rs",
     "        if !settled {\n", "        if true || !settled {\n"),
    ("lost event: changes before a suspension are missed", "store/execution.rs",
     "self.wake_at = if self.changes > seen {", "self.wake_at = if false && self.changes > seen {"),
    ("lost event: the parent is not notified", "store/memory/executions.rs",
     "        self.settle_parent(id, now);\n    }\n\n    /// Gives the messages",
     "    }\n\n    /// Gives the messages"),
    ("at most once: the body starts before its START is durable", "engine/start.rs",
     "if at_most_once || cautious {", "if cautious {"),
    ("crash loop: interruptions are not counted", "engine/interruptions.rs",
     "let more = u32::from(was_interrupted);", "let more = 0 * u32::from(was_interrupted);"),
    ("crash loop: interruptions on a service are not recorded", "engine/interruptions.rs",
     "if times < MAX_INTERRUPTIONS {", "if false && times < MAX_INTERRUPTIONS {"),
    ("quota: operations hidden in finished scopes are not counted", "engine/write.rs",
     "self.count_hidden(&mut records);", "let _ = &mut records;"),
    ("service: timers of the service fire by the local clock", "engine/decide.rs",
     "if self.limits.service_driven && awaits_service {",
     "if false && self.limits.service_driven && awaits_service {"),
    ("crash loop: a START is not durable after a crash", "engine/start.rs",
     "if at_most_once || cautious {", "if at_most_once {"),
    ("time: timers fire at once", "engine/decide.rs",
     "if now >= due {\n            then(self, now)", "if true || now >= due {\n            then(self, now)"),
    ("time: retries do not wait", "engine/outcome.rs",
     "state.record.due_at = Some(now.after(self.limits.at_most(delay)));",
     "let _ = delay; state.record.due_at = Some(now);"),
    ("slicing: an invocation without enough time runs no body", "engine/slicing.rs",
     "if slicing.progressed && (slicing.sliced", "if (slicing.sliced"),
    ("slicing: a body starts without enough time for it", "engine/slicing.rs",
     "if slicing.progressed && (slicing.sliced || now.after(need) > budget.ends_at) {",
     "if slicing.progressed && slicing.sliced {"),
    ("published: a replay publishes again", "engine/published.rs",
     "if !in_body && self.is_repeated(", "if false && !in_body && self.is_repeated("),
    ("published: calls in scopes that have ended are counted", "engine/published.rs",
     "op.is_none_or(|op| !self.operations[op.index()].record.status.is_terminal())", "op.is_none() || op.is_some()"),
    ("published: a value of a long body waits for its end", "engine/write.rs",
     "[start, self.oldest_unwritten_value()]", "[start, None]"),
    ("published: a rewind keeps the numbers of calls", "client/rewind.rs",
     "        reset.handle = None;\n", ""),
    ("limits: values over the limit are written", "engine/outcome.rs",
     "            return self.fail(op, error.with_attempts(attempts), now);\n", "            let _ = error.with_attempts(attempts);\n"),
    ("double apply: a step in a transaction does not look for its row", "runtime/operation/transaction.rs",
     "if self.progress.in_doubt\n            && let", "if false && self.progress.in_doubt\n            && let"),
    ("double apply: a stale fence commits a transaction", "runtime/operation/transaction.rs",
     "&& !transaction.raise_fence(self.key, fence).await?",
     "&& !(transaction.raise_fence(self.key, fence).await? || true)"),
    ("double apply: the row of another attempt is ignored", "runtime/operation/transaction.rs",
     "if !transaction.insert(self.key, &recorded).await? {",
     "if !(transaction.insert(self.key, &recorded).await? || true) {"),
    ("double apply: a row is removed without raising the fence", "runtime/operation/transaction.rs",
     "self.key.fence().filter(|_| !self.progress.fenced)", "self.key.fence().filter(|_| false)"),
    ("wrong result: a step fails although it may have committed", "runtime/operation/transaction.rs",
     "if delay.is_some() || !self.progress.in_doubt {", "if true || delay.is_some() || !self.progress.in_doubt {"),
    ("double apply: a value over the limit is committed", "runtime/operation/transaction.rs",
     "engine.too_large(&payload);", "engine.too_large(&payload).filter(|_| false);"),
    ("wrong result: a row answers a step that an operator has reset", "client/rewind.rs",
     "    if is_transactional(record) {", "    if false && is_transactional(record) {"),
    ("wrong result: a row answers a step that an operator has removed", "client/rewind.rs",
     ".filter(|_| records.iter().any(is_transactional))", ".filter(|_| false && records.iter().any(is_transactional))"),
]


def apply(root, mutant):
    """Returns the path of the mutant's file, its text, and its text with the mutant."""
    name, file, original, replacement = mutant
    path = root / CORE / file
    text = path.read_text() if path.exists() else ""
    if text.count(original) != 1:
        sys.exit(f"`{name}` does not apply: its text occurs {text.count(original)} times in {CORE}{file}")
    return path, text, text.replace(original, replacement)


def copy_sources(into, root):
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    for name in filter(None, files):
        source = root / name
        if source.is_file():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # The copy gets the current time, which makes it newer than the build outputs of an earlier copy.
            shutil.copy(source, target)


def run_suites(folder, env):
    """Returns the first failing suite, or `None` if all pass, and the reason."""
    for name, args in SUITES.items():
        command = ["cargo", "test", "--quiet", *args]
        try:
            result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return name, "timed out"
        text = result.stdout + result.stderr
        if result.returncode == 0:
            continue
        if "could not compile" in text:
            return "compile", text
        failed = [line.strip() for line in text.split("\n") if line.startswith("    ") and "::" in line]
        return name, failed[0] if failed else text.strip().split("\n")[-1]
    return None, ""


def main():
    words = sys.argv[1:]
    root = pathlib.Path(__file__).resolve().parents[2]
    if words == ["--check"]:
        for mutant in MUTANTS:
            apply(root, mutant)
        print(f"all {len(MUTANTS)} mutants apply")
        return
    mutants = [mutant for mutant in MUTANTS if not words or any(word in mutant[0] for word in words)]
    survivors = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "durable"
        copy_sources(folder, root)
        env = dict(os.environ, RUSTFLAGS="-Awarnings", RUST_BACKTRACE="0")
        env.setdefault("CARGO_TARGET_DIR", str(root / "target"))
        env["CARGO_TARGET_DIR"] = str(pathlib.Path(env["CARGO_TARGET_DIR"]) / "mutants")
        failed, reason = run_suites(folder, env)
        if failed:
            sys.exit(f"the suite `{failed}` fails without a mutant: {reason[-2000:]}")
        for mutant in mutants:
            name = mutant[0]
            path, text, mutated = apply(folder, mutant)
            start = time.monotonic()
            path.write_text(mutated)
            failed, reason = run_suites(folder, env)
            path.write_text(text)
            took = time.monotonic() - start
            if failed == "compile":
                sys.exit(f"`{name}` does not compile:\n{reason[-3000:]}")
            verdict = f"killed by {failed}: {reason}" if failed else "SURVIVED"
            print(f"{took:4.0f} s  {name}\n        {verdict}", flush=True)
            if not failed:
                survivors.append(name)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants killed")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
