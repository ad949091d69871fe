"""One nginx on this host, up and serving `first`, by each way to publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.converge import converge
from tests.targets.nginx.subject import InPlaceSubject, NginxSubject


def _serving(subject: NginxSubject) -> Iterator[NginxSubject]:
    with subject.server.supervised():
        converge(subject.target(), subject.first)
        subject.ask("a.test")
        yield subject
        subject.close()


@pytest.fixture(params=[NginxSubject, InPlaceSubject])
def serving(request: pytest.FixtureRequest, tmp_path: Path, binary: Callable[[str], str]) -> Iterator[NginxSubject]:
    yield from _serving(request.param(tmp_path, binary("nginx")))


@pytest.fixture
def switch(tmp_path: Path, binary: Callable[[str], str]) -> Iterator[NginxSubject]:
    yield from _serving(NginxSubject(tmp_path, binary("nginx")))


@pytest.fixture
def in_place(tmp_path: Path, binary: Callable[[str], str]) -> Iterator[NginxSubject]:
    yield from _serving(InPlaceSubject(tmp_path, binary("nginx")))
