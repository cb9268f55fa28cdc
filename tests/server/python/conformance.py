#!/usr/bin/env python3
"""Runs AWS's conformance suite against `durable lambda`.

    conformance.py SUITE DURABLE MANIFEST OUT [--page-bytes N] [--state FILE] [OPTION of run.py …]

SUITE is the folder of `run.py`. The script converts the manifest to settings of `durable lambda`, which starts the
functions; the suite only invokes them and checks the results.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", type=Path)
    parser.add_argument("durable", type=Path)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clock", default="scale=3")
    parser.add_argument("--page-bytes", type=int)
    parser.add_argument("--state", type=Path, help="keep the state in this file, created anew, instead of in memory")
    args, rest = parser.parse_known_args()

    sys.path.insert(0, str(args.suite))
    from conf_harness import manifest

    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    logs = out / "service-functions"
    logs.mkdir(exist_ok=True)
    for old in logs.glob("*.log"):
        old.unlink()
    scale = args.clock.removeprefix("scale=") if args.clock != "real" else "1"
    extra = {
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
        "DURABLE_CONFORMANCE_TIME_SCALE": scale,
        "DURABLE_CONFORMANCE_SCRATCH": str(out / "scratch"),
    }
    settings = out / "functions.toml"
    settings.write_text(toml(manifest.load(str(args.manifest)), extra, args.page_bytes))
    if args.state:
        # Names of executions in an older file would be taken.
        for suffix in ("", "-wal", "-shm"):
            args.state.with_name(args.state.name + suffix).unlink(missing_ok=True)
    state = ["--state", str(args.state.resolve())] if args.state else ["--ephemeral"]
    command = [
        str(args.durable.resolve()), "lambda", "--config", str(settings), "--listen", "127.0.0.1:{port}",
        "--region", "{region}", "--time-scale", scale, "--function-logs", str(logs), *state,
    ]
    run = [
        sys.executable, str(args.suite / "run.py"), str(args.manifest), "--out", str(out), "--clock", args.clock,
        "--service-command", " ".join(command), "--function-logs", str(logs), *rest,
    ]
    return subprocess.run(run, env=os.environ | {"PYTHONUNBUFFERED": "1"}, check=False).returncode


def toml(subject, extra: dict[str, str], page_bytes: int | None) -> str:
    """Settings with the functions of a manifest; strings of JSON are strings of TOML."""
    lines = []
    if page_bytes:
        lines += ["[quotas]", f"page_bytes = {page_bytes}"]
    for name, function in subject.functions.items():
        lines += [
            f"[functions.{json.dumps(name)}]",
            f"command = {json.dumps(function.command)}",
            f"cwd = {json.dumps(function.cwd)}",
            f"durable = {json.dumps(function.durable)}",
            f"timeout = {function.timeout}",
            f"execution_timeout = {function.execution_timeout}",
            "retention_days = 7",
            f"concurrency = {function.max_instances}",
            f"[functions.{json.dumps(name)}.env]",
        ]
        lines += [f"{key} = {json.dumps(value)}" for key, value in {**extra, **function.env}.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
