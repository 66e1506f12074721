"""Measure: [edge] [workloads...]; or, with --write, say in docs/ what was measured."""

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

from bench import desk, edge, links, owner, page, plot, report, shown, targets, workloads
from bench.machine import commit, machine
from bench.processes import Failed
from bench.stacks import STACKS, start_stacks
from bench.steady import Scale
from bench.suite import Suite
from bench.websocket import Closed

ROOT = Path(__file__).parent.parent
#: So much of a log is shown where a workload fails.
_TOLD = 3000
DESKTOP = Suite(
    targets.DESKTOP,
    tuple(STACKS),
    start_stacks,
    {
        **workloads.WORKLOADS,
        **shown.WORKLOADS,
        **desk.WORKLOADS,
        **links.WORKLOADS,
        **owner.WORKLOADS,
    },
    {
        **workloads.ONLY,
        **shown.ONLY,
        "first": workloads.RIVALRY,
        "smooth": workloads.RIVALRY,
        **dict.fromkeys(links.WORKLOADS, workloads.RIVALRY),
        **dict.fromkeys(links.STREAMED, ("kasmd",)),
        **dict.fromkeys(owner.WORKLOADS, ("kasmd",)),
    },
    {*shown.ONCE, "timing"},
    lambda folder, seconds: Scale(seconds or 2.0, 80, folder),
    lambda folder, seconds: Scale(seconds or 1.0, 20, folder),
    ("setpriv", "Xvfb", "Xtigervnc", "x11vnc", "websockify", "wrk", "chromium"),
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
    parser.add_argument("--seconds", type=float, help="of what goes on evenly")
    parser.add_argument("--quick", action="store_true", help="one short run")
    parser.add_argument("--json", type=Path, help="where each run's numbers are kept")
    parser.add_argument("--write", type=Path, metavar="JSON",
                        help="measure nothing; write docs/bench.rst and its pictures of this")
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
    run: dict[str, dict[str, report.Found]] = {name: {} for name in stacks}
    with ExitStack() as ending:
        place = Path(ending.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        running = suite.start(stacks, place, ending)
        for workload in names:
            for stack in running:
                if stack.name not in suite.only.get(workload, stacks):
                    continue
                try:
                    found = suite.workloads[workload](stack, scale)
                except (Failed, Closed, OSError) as error:
                    said = _end_of(place / stack.name / "log")
                    raise Failed(f"{workload} on {stack.name}: {error}\n{said}") from error
                run[stack.name][workload] = found
                print(f"{workload:8} {stack.name:8} {_told(found)}", flush=True)
    return run


def write(path: Path) -> None:
    """Write the suite's part of docs/bench.rst, and its pictures, from kept numbers."""
    kept = json.loads(path.read_text())
    runs, stacks, where = kept["runs"], kept["stacks"], kept["machine"]
    about, docs = SUITES[kept["suite"]].about, ROOT / "docs"
    for name, plotted in about.plots.items():
        drawn = plot.svg(plotted.title, list(plot.groups(runs, stacks, plotted)))
        (docs / page.picture(about, name)).write_text(drawn)
    file = docs / "bench.rst"
    file.write_text(page.page(file.read_text(), about, page.rst(runs, stacks, where, about)))


def main(arguments: Sequence[str]) -> None:
    """Do what the command line asks."""
    chosen = options(arguments)
    suite = chosen.suite
    if chosen.write:
        write(chosen.write)
        return
    absent = [program for program in suite.programs if shutil.which(program) is None]
    if absent:
        raise Failed(f"not installed: {', '.join(absent)}")
    signal.signal(signal.SIGTERM, _interrupt)
    runs: list[report.Run] = []
    kept = {
        "suite": suite.about.name, "machine": machine(ROOT), "stacks": chosen.stacks, "runs": runs,
    }  # fmt: skip
    path = chosen.json or _place(suite.about.name)
    with tempfile.TemporaryDirectory(prefix="kasmd-bench-") as name:
        folder = Path(name)
        scale = (suite.quick if chosen.quick else suite.full)(folder, chosen.seconds)
        for number in range(1 if chosen.quick else chosen.runs):
            print(f"\nrun {number + 1}", flush=True)
            names = [word for word in chosen.workloads if not number or word not in suite.once]
            runs.append(run_once(suite, chosen.stacks, names, scale, folder))
            if chosen.json or not chosen.quick:
                path.write_text(json.dumps(kept, indent=1) + "\n")
    for table in report.tables(runs, chosen.stacks, suite.about):
        print("\n" + report.text_table(table))
    if path.exists():
        print(f"\nkept; for docs/bench.rst: ./dev bench --write {path}")


def _told(found: report.Found) -> str:
    numbers = {name: one for name, one in found.items() if isinstance(one, (int, float))}
    return ", ".join(f"{name} {number:.4g}" for name, number in numbers.items())


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-_TOLD:] if log.exists() else ""


def _place(suite: str) -> Path:
    """Give where the numbers of a run of today are kept, unless it is said."""
    results = ROOT / "bench" / "results"
    results.mkdir(exist_ok=True)
    return results / f"{suite}-{datetime.date.today()}-{commit(ROOT)}.json"


def _interrupt(_number: int, _frame: Optional[FrameType]) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
