"""What is measured together: stacks, workloads, and what is asked of them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Collection, Generic, Mapping, Optional, Protocol, Sequence, TypeVar

from bench.report import About, Found


class Named(Protocol):
    """A running stack."""

    name: str


StackT = TypeVar("StackT", bound=Named)
ScaleT = TypeVar("ScaleT")


@dataclass(frozen=True)
class Suite(Generic[StackT, ScaleT]):
    """``only`` has the workloads that not all stacks can do, ``once`` those for one run."""

    about: About
    stacks: Sequence[str]
    #: Starts the stacks of these names with their files in a folder.
    start: Callable[[Sequence[str], Path, ExitStack], Sequence[StackT]]
    workloads: Mapping[str, Callable[[StackT, ScaleT], Found]]
    only: Mapping[str, Sequence[str]]
    once: Collection[str]
    #: How long and how much is measured, given a folder for files, and seconds if asked for.
    full: Callable[[Path, Optional[float]], ScaleT]
    quick: Callable[[Path, Optional[float]], ScaleT]
    programs: Sequence[str]
