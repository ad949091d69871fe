"""Gitea under the suite that every kind passes, with a token of the documented scopes and nothing more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Sickness
from tests.conformance.suite import Conformance
from tests.targets.gitea.server import GiteaServer
from tests.targets.gitea.subject import GiteaSubject
from tests.targets.proxy import Proxy


class TestGitea(Conformance, Adoption, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path, gitea: GiteaServer, proxy: Proxy, token_file: Path) -> GiteaSubject:
        return GiteaSubject(tmp_path, gitea, proxy, token_file)
