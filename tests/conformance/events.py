"""For kinds that can be sick, and for kinds that tell when something changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from gitops_agent.errors import Unavailable
from gitops_agent.model import HealthStatus
from gitops_agent.target import Target
from tests.conformance.converge import converge, plan
from tests.conformance.holding import assert_becomes_healthy, assert_holds, eventually
from tests.conformance.subject import AilingSubject, Subject


class Sickness:
    def test_sickness_shows_and_passes(self, subject: AilingSubject) -> None:
        converge(subject.target(), subject.first)
        target = subject.target()
        assert_becomes_healthy(target, subject)
        with subject.ailing():
            eventually(lambda: not _is_well(target, subject), subject.patience, "sickness seen")
        assert_becomes_healthy(target, subject)


class Events:
    def test_watch_rings_for_others_and_not_for_ever(self, subject: Subject) -> None:
        target = subject.target()
        converge(target, subject.first)
        with _watching(target) as rings:
            subject.tamper()
            eventually(lambda: bool(rings), 15, "a ring")
            # As the worker does: look, mend, look again, until it is quiet. Own writes may ring once, looking may not.
            converge(target, subject.first, applied=subject.first)
            assert_holds(subject, subject.first)
            quiet_since = time.monotonic()
            heard = len(rings)
            deadline = quiet_since + 30
            while time.monotonic() - quiet_since < 1.0:
                assert not plan(target, subject.first, applied=subject.first)
                assert time.monotonic() < deadline, "observing rings its own bell for ever"
                if len(rings) != heard:
                    heard, quiet_since = len(rings), time.monotonic()


def _is_well(target: Target, subject: Subject) -> bool:
    try:
        plan(target, subject.first, applied=subject.first)
        return target.health().status is HealthStatus.HEALTHY
    except Unavailable:
        return False


@contextmanager
def _watching(target: Target) -> Iterator[list[str]]:
    """Collects rings from a thread, as the agent does; ready once the watch has said that it is there, or after a moment."""
    rings: list[str] = []
    ready, stop = threading.Event(), threading.Event()

    def listen() -> None:
        with closing(target.watch()) as watch:  # type: ignore[type-var]  # a generator where it is overridden
            for reason in watch:
                ready.set()
                if reason:
                    rings.append(reason)
                if stop.is_set():
                    return

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    ready.wait(10)
    rings.clear()
    try:
        yield rings
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "watch blocks for longer than a few seconds"
