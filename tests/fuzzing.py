"""What the fuzzers share: many inputs are tried and counted, and a command line asks for them."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from typing import Callable, Collection, Iterable, NamedTuple, Optional, Protocol


class Outcome(Protocol):
    """What came of an input: ``error``, if it was refused."""

    @property
    def error(self) -> object:
        """Why it was refused, false if it was not."""

    @property
    def kinds(self) -> Collection[str]:
        """The names of what was read, each as often as it was."""


class Trial(NamedTuple):
    """One input: ``run`` raises whatever should not be, ``replay`` is for doing it again."""

    run: Callable[[], Outcome]
    replay: str


def failures(trials: Iterable[Trial]) -> int:
    """Run all; print what was found, and give how many failed."""
    passed = failed = refused = 0
    kinds: Counter[str] = Counter()
    began = time.perf_counter()
    for trial in trials:
        try:
            outcome = trial.run()
        except Exception:
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(trial.replay)
            continue
        passed += 1
        refused += bool(outcome.error)
        kinds.update(outcome.kinds)
    seconds = time.perf_counter() - began
    print(f"{len(kinds)} kinds: {', '.join(f'{kind} {kinds[kind]}' for kind in sorted(kinds))}")
    print(f"{refused} refusals, {seconds:.1f} s, {(passed + failed) / seconds:.0f} inputs/s")
    print(f"{passed} passed, {failed} failed")
    return failed


def main(doc: str, fuzz: Callable[[int, int], int],
         replay: Optional[Callable[..., object]] = None, *parts: str) -> int:
    """Read the command line; ``parts`` name what ``replay`` takes."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    if replay is not None:
        parser.add_argument("--replay", nargs=len(parts), metavar=parts)
    options = parser.parse_args()
    if replay is not None and options.replay:
        print(replay(*options.replay))
        return 0
    return 1 if fuzz(options.count, options.seed) else 0
