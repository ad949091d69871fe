"""One thing that has to be so before the agent can look after the rest, and how a series of them is carried out."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from gitops_agent.errors import AgentError, ApplyFailed, Unavailable
from gitops_agent.secret import mask

_PAUSE = 0.5


class Step(ABC):
    """`name` is what people see. A step keeps nothing: it may be asked anew at any time, by another process too."""

    name: str
    patience: ClassVar[float] = 0
    """Seconds that its system may take until it answers: it may have been started a moment ago."""
    alone: ClassVar[bool] = True
    """Whether no agent may be at work meanwhile."""
    tell: Callable[[str], None] = staticmethod(lambda _: None)
    """Says on the way what is so now, in words; `climb` sets it."""

    @abstractmethod
    def missing(self) -> str:
        """What is not so yet, in words; empty when the step is done. Changes nothing. Raises Unavailable where nobody can tell."""

    @abstractmethod
    def do(self) -> None:
        """Makes it so, whatever part of it is already. Raises AgentError, in words that say what to do."""


@dataclass(frozen=True)
class Look:
    """What a step is found to be; `unknown` says why it cannot be told before those above it are done."""

    name: str
    missing: str
    unknown: str = ""


def look_at(steps: Sequence[Step]) -> Iterator[Look]:
    """Each step as it is. Changes nothing."""
    for step in steps:
        try:
            yield Look(step.name, step.missing())
        except AgentError as error:
            yield Look(step.name, "", mask(str(error)))


Doing = Callable[[str, str], AbstractContextManager[Callable[[str], None]]]
"""Is around each step, with its name and what is missing; gives what says on the way how it goes."""


def climb(steps: Sequence[Step], begin: Callable[[], None], doing: Doing) -> int:
    """Carries out what is missing, in order, and looks again after each. Gives how many there were. `begin` is called before the
    first that has to be alone. Raises what stopped it."""
    done = 0
    begun = False
    for step in steps:
        missing = _patiently(step)
        with doing(step.name, missing) as step.tell:
            if not missing:
                continue
            if step.alone and not begun:
                begin()
                begun = True
            done += 1
            step.do()
            if left := _patiently(step):
                raise ApplyFailed(f"{step.name}: {left}, and what should have mended it did not")
    return done


def _patiently(step: Step) -> str:
    deadline = time.monotonic() + step.patience
    while True:
        try:
            return step.missing()
        except Unavailable:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)


def wait_until(look: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Raises Unavailable with `otherwise` when it was not so in time; what `look` cannot reach yet is not so yet."""
    deadline = time.monotonic() + seconds
    while True:
        why = ""
        try:
            if look():
                return
        except Unavailable as error:
            why = f": {error}"
        if time.monotonic() >= deadline:
            raise Unavailable(f"{otherwise} within {seconds:g} s{why}")
        time.sleep(_PAUSE)
