"""The live watch: what others do rings, what we do does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from gitops_agent.errors import Unavailable
from gitops_agent.seen import Seen
from gitops_agent.targets.consul.target import Consul
from tests.conformance.converge import converge, plan
from tests.targets.consul.server import ConsulServer

Make = Callable[..., Consul]


def many(value: str) -> dict[str, bytes]:
    return {"kv.yaml": "".join(f"key-{number:04}: {value}\n" for number in range(300)).encode()}


class Rings:
    """What a watch says, collected by a thread; `looked` counts its looks."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.looked = 0

    def await_look(self) -> None:
        self._await(lambda before=self.looked: self.looked > before)

    def await_ring(self) -> str:
        self._await(lambda: self.said)
        return self.said.pop(0)

    def _await(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the watch is silent"
            time.sleep(0.01)


@contextmanager
def watching(target: Consul) -> Iterator[Rings]:
    rings, stop = Rings(), threading.Event()

    def listen() -> None:
        with closing(target.watch()) as watch:  # type: ignore[type-var]
            for reason in watch:
                rings.looked += 1
                if reason:
                    rings.said.append(reason)
                if stop.is_set():
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        rings.await_look()
        yield rings
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_others_ring_and_we_do_not(make: Make, consul: ConsulServer) -> None:
    target = make()
    converge(target, many("first"))
    with watching(target) as rings:
        for value in ("second", "third", "fourth"):  # five transactions each: the watch sees states in between
            converge(target, many(value))
            rings.await_look()
        converge(target, {"kv.yaml": b"key-0001: fourth\nkey-0002: fourth\n"})
        rings.await_look()
        consul.put("conformance/foreign", "theirs")
        rings.await_look()
        assert rings.said == []
        consul.put("conformance/key-0001", "by hand")
        assert rings.await_ring() == "kv:conformance/key-0001 changed"
        consul.delete("conformance/key-0002")
        assert rings.await_ring() == "kv:conformance/key-0002 deleted, kv:conformance/key-0001 changed"
        plan(target, {"kv.yaml": b"key-0001: fourth\nkey-0002: fourth\n"})  # the worker looks; nothing is healed
        rings.await_look()
        assert rings.said == [], "drift that was seen does not ring again"


def test_a_watch_of_nobody_raises(make: Make, free_port: Callable[[], int]) -> None:
    """The loop that tries again is the agent's."""
    with pytest.raises(Unavailable):
        next(make(address=f"http://127.0.0.1:{free_port()}").watch())


def test_only_what_is_newer_than_what_we_know_counts() -> None:
    """Both threads may be ahead of the other: the watch in a transaction of ours, or we in the answer that the watch holds."""
    seen = Seen()
    seen.look({"a": 10, "b": 20, "c": 30, "d": 40})
    assert seen.difference({"a": 10, "b": 20, "c": 30, "d": 40, "foreign": 50}, 50) == ""
    assert seen.difference({"a": 9, "b": 20, "c": 30}, 35) == "", "an older look"
    assert seen.difference({"a": 11, "b": 20, "c": 30}, 45) == "d deleted, a changed"
    assert seen.difference({"a": 51, "b": 52, "c": 53, "d": 54}, 55) == "a changed, b changed, c changed and 1 more"
