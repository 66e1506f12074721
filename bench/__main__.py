"""python -m bench [edge] [workloads...]: measure, judge, and write down."""

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
from typing import Any, Optional, Sequence

from bench import edge, owner, report, workloads
from bench.child import Numbers
from bench.machine import machine
from bench.processes import Failed
from bench.stacks import STACKS, start_stacks
from bench.suite import Suite
from bench.websocket import Closed
from bench.workloads import Scale

ROOT = Path(__file__).parent.parent
DESKTOP = Suite(
    report.DESKTOP,
    tuple(STACKS),
    start_stacks,
    {**workloads.WORKLOADS, **owner.WORKLOADS},
    {**workloads.ONLY, **dict.fromkeys(owner.WORKLOADS, ("kasmd",))},
    workloads.ONCE,
    lambda folder: Scale(2.5, 120, folder),
    lambda folder: Scale(1.0, 20, folder),
    ("setpriv", "Xvfb", "Xtigervnc", "x11vnc", "websockify", "wrk"),
)
SUITES: dict[str, Suite[Any, Any]] = {suite.about.name: suite for suite in (DESKTOP, edge.SUITE)}


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    named = arguments[0] if arguments and arguments[0] in SUITES else DESKTOP.about.name
    suite = SUITES[named]
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, epilog=f"suites: {', '.join(SUITES)}"
    )
    parser.add_argument(
        "workloads", nargs="*", help=f"of {', '.join(suite.workloads)}; all by default"
    )
    parser.add_argument("--stacks", nargs="+", choices=suite.stacks, default=list(suite.stacks))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short run; nothing is written")
    chosen = parser.parse_args([word for word in arguments if word != named])
    unknown = set(chosen.workloads) - set(suite.workloads)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}")
    chosen.suite = suite
    chosen.workloads = chosen.workloads or list(suite.workloads)
    return chosen


def run_once(suite: Suite[Any, Any], stacks: Sequence[str], names: Sequence[str], scale: object,
             folder: Path) -> report.Run:
    """Start the stacks afresh, and measure each workload on one after the other."""
    run: dict[str, dict[str, Numbers]] = {name: {} for name in stacks}
    with ExitStack() as ending:
        place = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        running = suite.start(stacks, place, ending)
        for workload in names:
            for stack in running:
                if stack.name not in suite.only.get(workload, stacks):
                    continue
                try:
                    numbers = suite.workloads[workload](stack, scale)
                except (Failed, Closed, OSError) as error:
                    raise Failed(f"{workload} on {stack.name}: {error}") from error
                run[stack.name][workload] = numbers
                shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
                print(f"{workload:8} {stack.name:8} {shown}", flush=True)
    return run


def keep(suite: Suite[Any, Any], runs: Sequence[report.Run], stacks: Sequence[str],
         where: dict[str, str]) -> Path:
    """Write the raw numbers, and the suite's part of docs/bench.rst."""
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    about, mark = suite.about, "" if suite is DESKTOP else f"{suite.about.name}-"
    path = results / f"{mark}{datetime.date.today()}-{where['commit']}.json"
    path.write_text(json.dumps({"machine": where, "runs": runs}, indent=1) + "\n")
    page = ROOT / "docs" / "bench.rst"
    page.write_text(report.page(page.read_text(), about, report.rst(runs, stacks, where, about)))
    return path


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks."""
    chosen = options(arguments)
    suite = chosen.suite
    absent = [program for program in suite.programs if shutil.which(program) is None]
    if absent:
        raise Failed(f"not installed: {', '.join(absent)}")
    where = machine(ROOT)
    signal.signal(signal.SIGTERM, _interrupt)
    with tempfile.TemporaryDirectory(prefix="kasmd-bench-") as name:
        folder = Path(name)
        scale = (suite.quick if chosen.quick else suite.full)(folder)
        runs = []
        for number in range(1 if chosen.quick else chosen.runs):
            print(f"\nrun {number + 1}", flush=True)
            names = [word for word in chosen.workloads if not number or word not in suite.once]
            runs.append(run_once(suite, chosen.stacks, names, scale, folder))
    for head, lines in report.tables(runs, chosen.stacks, suite.about):
        print("\n" + report.text_table(head, lines))
    if not chosen.quick:
        print(f"\nkept in {keep(suite, runs, chosen.stacks, where)} and docs/bench.rst")


def _interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
