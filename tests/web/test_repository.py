"""Failure mode 9: the configured source says which repository it is, in all the ways a source can be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.settings import EnvironmentSettings
from gitops_agent.web.repository import commit_page, full_name


@pytest.mark.parametrize(
    "source",
    [
        "https://git.example.org/ops/config.git",
        "https://git.example.org/ops/config",
        "https://git.example.org/Ops/Config.git/",
        "https://git.example.org:3000/gitea/ops/config.git",
        "ssh://git@git.example.org:2222/ops/config.git",
        "git@git.example.org:ops/config.git",
        "/var/lib/gitea/git/repositories/ops/config.git",
        "ops/config.git",
    ],
)
def test_full_name(source: str) -> None:
    assert full_name(source) == "ops/config"


@pytest.mark.parametrize(
    ("source", "gitea", "page"),
    [
        ("https://git.example.org/ops/config.git", "", "https://git.example.org/ops/config/commit/abc"),
        ("https://git.example.org/gitea/ops/config/", "", "https://git.example.org/gitea/ops/config/commit/abc"),
        ("http://gitea:3000/ops/config.git", "https://git.example.org/", "https://git.example.org/ops/config/commit/abc"),
        ("git@git.example.org:ops/config.git", "https://git.example.org", "https://git.example.org/ops/config/commit/abc"),
        ("git@git.example.org:ops/config.git", "", ""),
        ("/srv/git/config.git", "", ""),
    ],
)
def test_commit_page(source: str, gitea: str, page: str) -> None:
    settings = EnvironmentSettings(source=source, gitea=gitea, webhook_secret_file=Path("unused"))
    assert commit_page(settings, "abc") == page


def test_people_may_reach_gitea_elsewhere_than_the_agent_does() -> None:
    settings = EnvironmentSettings(source="http://gitea:3000/ops/config.git", gitea_pages="https://git.example.org")
    assert commit_page(settings, "abc") == "https://git.example.org/ops/config/commit/abc"
