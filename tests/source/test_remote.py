"""What git must not be given, and where the token may go."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent.errors import ConfigError
from gitops_agent.source import Remote


@pytest.mark.parametrize("url", ["", "-oProxyCommand=evil", "--upload-pack=evil", "https://h/a\nb"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="no address"):
        Remote(url)


@pytest.mark.parametrize("url", ["https://user:pw@h/r.git", "https://token@h/r.git", "http://:pw@h/r.git"])
def test_a_password_in_the_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="token_file") as caught:
        Remote(url)
    assert "pw" not in str(caught.value)
    assert "token@" not in str(caught.value)


@pytest.mark.parametrize(
    "branch", ["", "-d", "a b", "a:b", "a*", "a..b", "/a", "a/", "a//b", "a.lock", "a@{1}", ".a", "a/.b", "a\\b"]
)
def test_what_is_no_branch_is_refused(branch: str) -> None:
    with pytest.raises(ConfigError, match="branch"):
        Remote("/r.git", branch)


@pytest.mark.parametrize("branch", ["main", "release/2026.05", "feature/ü", "a-b_c", "x@y"])
def test_branches(branch: str) -> None:
    assert Remote("/r.git", branch).ref == f"refs/heads/{branch}"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/srv/config.git", Path("/srv/config.git")),
        ("config.git", Path.cwd() / "config.git"),
        ("./a:b", Path.cwd() / "a:b"),
        ("git@h:config.git", None),
        ("h:config.git", None),
        ("ssh://git@h:22/config.git", None),
        ("file:///srv/config.git", None),
        ("https://h/config.git", None),
    ],
)
def test_which_addresses_are_paths(url: str, path: Path | None) -> None:
    """git-fetch(1), GIT URLS: a colon before the first slash is ssh's."""
    remote = Remote(url)
    assert remote.path == path
    assert remote.url == (url if path is None else str(path))


def test_the_token_is_for_scheme_host_and_port() -> None:
    assert Remote("https://git.example.org:3000/ops/config.git").origin == "https://git.example.org:3000/"
