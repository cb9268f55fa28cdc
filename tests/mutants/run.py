#!/usr/bin/env python3
"""Breaks the engine in many small ways, and sees whether a test notices each of them.

    tests/mutants/run.py             all mutants
    tests/mutants/run.py fence race  those whose names contain one of the words

Works on a copy of the files that git knows, so that the checkout stays as it is. Each mutant replaces one piece of
text that has to be there exactly once: one that does not apply any more is an error, not a success. The suites are
run in order until one fails, which kills the mutant. The exit code is 0 when every mutant was killed.

Not part of the checks of every change: it builds the engine once for each mutant.
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
    "engine": ["-p", "durable-core", "--features", "testing,conformance", "--lib"],
    "kit": ["-p", "durable-tests", "--test", "kit"],
    "whole": ["-p", "durable-tests", "--test", "it"],
}

# name, file, what is there, what is put in its place
MUTANTS = [
    ("lost update: a retried outcome is never written", "engine/write.rs",
     "records.push(slot.record.clone());",
     "if slot.record.attempt < 2 { records.push(slot.record.clone()); }"),
    ("lost update: an acknowledgement counts for what was queued since", "engine/write.rs",
     "slot.written |= !slot.queued;", "slot.written = true;"),
    ("double apply: a recorded step runs again", "engine/mod.rs",
     "        if status.is_terminal() {\n            return if slot.written",
     "        if status.is_terminal() && !(slot.recorded && kind == Kind::Step) {\n            return if slot.written"),
    ("double apply: an outcome is seen before it is durable", "engine/mod.rs",
     "return if slot.written || kind == Kind::Wait {", "return if true || slot.written || kind == Kind::Wait {"),
    ("double apply: the loser of a race is written", "engine/write.rs",
     "if closed && !is_timer && !takes_back {", "if false && closed && !is_timer && !takes_back {"),
    ("double apply: something begins in a scope that is over", "engine/mod.rs",
     "if over && !takes_back && !reentered {", "if false && over && !takes_back && !reentered {"),
    ("double apply: what has only begun is written although the execution is blocked", "driver/mod.rs",
     "self.shared.lock().engine.forget_starts();", ""),
    ("wrong order: moved operations are not noticed", "engine/drift.rs",
     "if order >= last {", "if true || order >= last {"),
    ("wrong order: steps are taken back first to last", "operation/undo.rs",
     "for entry in entries.into_iter().rev() {", "for entry in entries {"),
    ("wrong order: a live operation stands before those claimed earlier", "engine/order.rs",
     "None => self.last + SPACING,", "None => self.last,"),
    ("wrong answer: another kind is not noticed", "engine/mismatch.rs",
     "if slot.record.kind == site.kind {", "if true || slot.record.kind == site.kind {"),
    ("wrong answer: an identity is claimed twice", "engine/mismatch.rs",
     "if let Some(first) = slot.site {", "if let Some(first) = slot.site.filter(|_| false) {"),
    ("wrong answer: another input is not noticed", "engine/claim.rs",
     "if given != recorded =>", "if false && given != recorded =>"),
    ("wrong answer: `was` is not looked up", "engine/claim.rs",
     "None if !site.was.is_empty() => self.earlier_name(parent, site, &occurrence),",
     "None if false && !site.was.is_empty() => self.earlier_name(parent, site, &occurrence),"),
    ("wrong answer: the race's winner is not durable before its arm runs", "operation/race.rs",
     "                self.claim.written().await;\n                winner", "                winner"),
    ("wrong answer: a replay lets another arm win", "operation/race.rs",
     "        arms,\n        winner,\n    }\n}", "        arms,\n        winner: winner.filter(|_| false),\n    }\n}"),
    ("missing fence: a process that was taken over writes", "store/memory/entry.rs",
     "if !self.is_current(fence) {\n            return Err(fence_lost(fence));",
     "if false && !self.is_current(fence) {\n            return Err(fence_lost(fence));"),
    ("missing fence: a suspended execution is written", "store/memory/entry.rs",
     "_ => Err(fence_lost(fence)),\n            };\n        }\n        for record",
     "_ => Ok(self.ack(batch.seen)),\n            };\n        }\n        for record"),
    ("missing lease: two processes run one execution", "store/memory/entry.rs",
     "if self.lease.as_ref().is_some_and(|lease| lease.is_alive(now)) {\n            let message",
     "if self.lease.as_ref().is_some_and(|_| false) {\n            let message"),
    ("lost event: a callback's outcome is overwritten", "store/memory/entry.rs",
     "        if !settled {\n", "        if true || !settled {\n"),
    ("lost event: what happened before a suspension is missed", "store/execution.rs",
     "self.wake_at = if self.changes > seen {", "self.wake_at = if false && self.changes > seen {"),
    ("lost event: the parent is not told", "store/memory/executions.rs",
     "        self.tell_parent(id, now);\n    }\n\n    /// Asks for the cancellation",
     "    }\n\n    /// Asks for the cancellation"),
    ("at most once: the body begins before its START is durable", "engine/start.rs",
     "if at_most_once || cautious {", "if cautious {"),
    ("crash loop: what was cut off is not counted", "engine/cut_off.rs",
     "record.interruptions += u32::from(unclean);", "let _ = unclean;"),
    ("crash loop: a service's cut-off is not noted", "engine/cut_off.rs",
     "if times < MAX_INTERRUPTIONS {", "if false && times < MAX_INTERRUPTIONS {"),
    ("quota: what is hidden in scopes that are over is not told", "engine/write.rs",
     "self.count_hidden(&mut records);", "let _ = &mut records;"),
    ("service: its timers end by the clock here", "engine/mod.rs",
     "if self.limits.orchestrates && elsewhere {", "if false && self.limits.orchestrates && elsewhere {"),
    ("crash loop: a START is not durable after a crash", "engine/start.rs",
     "if at_most_once || cautious {", "if at_most_once {"),
    ("time: timers are over at once", "engine/mod.rs",
     "if now >= due {\n            then(self, now)", "if true || now >= due {\n            then(self, now)"),
    ("time: a retry does not wait", "engine/outcome.rs",
     "slot.record.due_at = Some(now.after(self.limits.at_most(delay)));",
     "let _ = delay; slot.record.due_at = Some(now);"),
    ("slicing: an invocation without time runs no body at all", "engine/slicing.rs",
     "if slicing.progressed && (slicing.sliced", "if (slicing.sliced"),
    ("slicing: a body begins although there is no time for it", "engine/slicing.rs",
     "if slicing.progressed && (slicing.sliced || now.after(need) > budget.ends_at) {",
     "if slicing.progressed && slicing.sliced {"),
    ("limits: a value over the limit is written", "engine/outcome.rs",
     "        if size > limit {\n            let attempts", "        if false && size > limit {\n            let attempts"),
]


def copy(into):
    root = pathlib.Path(__file__).resolve().parents[2]
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\n")
    for name in filter(None, files):
        source = root / name
        if source.is_file():
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # With times of now: what was built of an earlier copy is older.
            shutil.copy(source, target)
    return root


def run_suites(where, env):
    """The suite that fails, `None` when all pass, and what was printed."""
    for name, args in SUITES.items():
        command = ["cargo", "test", "--quiet", *args]
        try:
            done = subprocess.run(command, cwd=where, env=env, capture_output=True, text=True, timeout=300)
        except subprocess.TimeoutExpired:
            return name, "it does not end"
        text = done.stdout + done.stderr
        if done.returncode == 0:
            continue
        if "could not compile" in text:
            return "compile", text
        failed = [line.strip() for line in text.split("\n") if line.startswith("    ") and "::" in line]
        return name, failed[0] if failed else text.strip().split("\n")[-1]
    return None, ""


def main():
    words = sys.argv[1:]
    mutants = [one for one in MUTANTS if not words or any(word in one[0] for word in words)]
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        where = pathlib.Path(folder) / "durable"
        root = copy(where)
        env = dict(os.environ, RUSTFLAGS="-Awarnings", RUST_BACKTRACE="0")
        env.setdefault("CARGO_TARGET_DIR", str(root / "target"))
        env["CARGO_TARGET_DIR"] = str(pathlib.Path(env["CARGO_TARGET_DIR"]) / "mutants")
        failed, why = run_suites(where, env)
        if failed:
            sys.exit(f"without any mutant, {failed} fails: {why[-2000:]}")
        for name, file, there, instead in mutants:
            path = where / CORE / file
            text = path.read_text()
            if text.count(there) != 1:
                sys.exit(f"`{name}` does not apply: {file} has its text {text.count(there)} times")
            began = time.monotonic()
            path.write_text(text.replace(there, instead))
            failed, why = run_suites(where, env)
            path.write_text(text)
            took = time.monotonic() - began
            if failed == "compile":
                sys.exit(f"`{name}` does not compile:\n{why[-3000:]}")
            verdict = f"killed by {failed}: {why}" if failed else "SURVIVED"
            print(f"{took:4.0f} s  {name}\n        {verdict}", flush=True)
            if not failed:
                survivors.append(name)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} mutants killed")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
