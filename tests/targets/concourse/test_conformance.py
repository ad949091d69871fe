"""Concourse under the suite that every kind passes, with the roles that the docs ship and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Sickness
from tests.conformance.suite import Conformance
from tests.targets.concourse.server import ConcourseServer
from tests.targets.concourse.subject import ConcourseSubject
from tests.targets.proxy import Proxy


class TestConcourse(Conformance, Adoption, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path, concourse: ConcourseServer, proxy: Proxy) -> ConcourseSubject:
        return ConcourseSubject(tmp_path, concourse, proxy)
