"""Real nginx on this host, under the suite that every kind passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Events, Sickness
from tests.conformance.suite import Conformance
from tests.targets.nginx.subject import InPlaceSubject, NginxSubject

pytestmark = pytest.mark.server


class TestSwitch(Conformance, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, binary: Callable[[str], str]) -> Iterator[NginxSubject]:
        subject = NginxSubject(tmp_path, binary("nginx"))
        with subject.server.supervised():
            yield subject


class TestInPlace(Conformance, Adoption, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, binary: Callable[[str], str]) -> Iterator[InPlaceSubject]:
        subject = InPlaceSubject(tmp_path, binary("nginx"))
        with subject.server.supervised():
            yield subject
