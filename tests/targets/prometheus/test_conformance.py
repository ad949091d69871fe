"""Real Prometheus and promtool, under the suite that every kind passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Events, Sickness
from tests.conformance.suite import Conformance, Convergence
from tests.targets.prometheus.subject import InPlaceSubject, PrometheusSubject

pytestmark = pytest.mark.server


class TestSwitch(Conformance, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[PrometheusSubject]:
        subject = PrometheusSubject(tmp_path, binary, free_port())
        with subject.server.running():
            yield subject


class TestInPlace(Convergence, Adoption, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, binary: Callable[[str], str], free_port: Callable[[], int]) -> Iterator[InPlaceSubject]:
        subject = InPlaceSubject(tmp_path, binary, free_port())
        with subject.server.running():
            yield subject
