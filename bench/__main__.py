"""python -m bench [workloads...]: measure, judge, and write down."""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Optional, Sequence

from bench import owner, report, workloads
from bench.child import Numbers
from bench.machine import machine
from bench.processes import Failed
from bench.stacks import STACKS, start_stack
from bench.websocket import Closed
from bench.workloads import ONCE, Scale

ROOT = Path(__file__).parent.parent
WORKLOADS = {**workloads.WORKLOADS, **owner.WORKLOADS}
#: Workloads that only some stacks can do; the rest are for all.
ONLY = {**workloads.ONLY, **dict.fromkeys(owner.WORKLOADS, ("kasmd",))}
#: Seconds and draws of each measurement.
_FULL, _QUICK = (2.5, 120), (1.0, 20)
_PROGRAMS = ("setpriv", "Xvfb", "Xtigervnc", "x11vnc", "websockify", "wrk")


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join(WORKLOADS)}; all by default")
    parser.add_argument("--stacks", nargs="+", choices=STACKS, default=list(STACKS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short run; nothing is written")
    chosen = parser.parse_args(arguments)
    unknown = set(chosen.workloads) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    chosen.workloads = chosen.workloads or list(WORKLOADS)
    return chosen


def run_once(stacks: Sequence[str], names: Sequence[str], scale: Scale) -> report.Run:
    """Start the stacks afresh, and measure each workload on one after the other."""
    run: dict[str, dict[str, Numbers]] = {name: {} for name in stacks}
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=scale.folder)))
        running = [start_stack(name, folder / name, ending) for name in stacks]
        for workload in names:
            for stack in running:
                if stack.name not in ONLY.get(workload, stacks):
                    continue
                try:
                    numbers = WORKLOADS[workload](stack, scale)
                except (Failed, Closed) as error:
                    raise Failed(f"{workload} on {stack.name}: {error}") from error
                run[stack.name][workload] = numbers
                shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
                print(f"{workload:8} {stack.name:8} {shown}", flush=True)
    return run


def keep(runs: Sequence[report.Run], stacks: Sequence[str], where: dict[str, str]) -> Path:
    """Write the raw numbers, and docs/bench.rst."""
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    path = results / f"{datetime.date.today()}-{where['commit']}.json"
    path.write_text(json.dumps({"machine": where, "runs": runs}, indent=1) + "\n")
    (ROOT / "docs" / "bench.rst").write_text(report.rst(runs, stacks, where))
    return path


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks."""
    chosen = options(arguments)
    absent = [program for program in _PROGRAMS if shutil.which(program) is None]
    if absent:
        raise Failed(f"not installed: {', '.join(absent)}")
    where = machine(ROOT)
    signal.signal(signal.SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="kasmd-bench-") as folder:
        scale = Scale(*(_QUICK if chosen.quick else _FULL), Path(folder))
        runs = []
        for number in range(1 if chosen.quick else chosen.runs):
            print(f"\nrun {number + 1}", flush=True)
            names = [name for name in chosen.workloads if not number or name not in ONCE]
            runs.append(run_once(chosen.stacks, names, scale))
    for head, lines in report.tables(runs, chosen.stacks):
        print("\n" + report.text_table(head, lines))
    if not chosen.quick:
        print(f"\nkept in {keep(runs, chosen.stacks, where)} and docs/bench.rst")


def _interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
