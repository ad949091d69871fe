"""Nomad under the suite that every kind passes, with the shipped policy and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Events, Sickness
from tests.conformance.suite import Conformance
from tests.targets.nomad.server import NomadServer
from tests.targets.nomad.subject import NomadSubject
from tests.targets.nomad.subject_access import AccessSubject
from tests.targets.proxy import Proxy


class TestNomad(Conformance, Adoption, Sickness, Events):
    @pytest.fixture
    def subject(self, tmp_path: Path, nomad: NomadServer, proxy: Proxy, token_file: Path) -> NomadSubject:
        return NomadSubject(tmp_path, nomad, proxy, token_file)


class TestNomadAccess(Conformance, Adoption, Sickness):
    """Namespaces, policies and roles; with a management token, because Nomad takes no other."""

    @pytest.fixture
    def subject(self, tmp_path: Path, nomad: NomadServer, proxy: Proxy, management_file: Path) -> AccessSubject:
        return AccessSubject(tmp_path, nomad, proxy, management_file)
