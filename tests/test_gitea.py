"""The client against a Gitea-shaped server: what it says, what it takes, and who must act when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from gitops_agent.errors import AgentError, ConfigError, Unavailable
from gitops_agent.gitea import CommitGone, Gitea, Throttled, TokenRefused
from gitops_agent.model import CommitStatus, StatusState
from tests.fakes.gitea import FakeGitea

SHA = "ce5c668bcd2ed457a3851cea3ae91818b3c5f00f"
GONE = "0123456789012345678901234567890123456789"
TOKEN = "a-token-of-the-bot-4f39149cca9d"
STATUS = CommitStatus(SHA, "gitops/mini", StatusState.SUCCESS, "applied; nginx: 1 updated", "http://agent.example/runs/1")


@pytest.fixture
def server() -> Iterator[FakeGitea]:
    with FakeGitea() as fake:
        fake.add_repository("ops/config", commits=[SHA])
        fake.add_token(TOKEN)
        yield fake


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def gitea(server: FakeGitea, token_file: Path) -> Iterator[Gitea]:
    client = Gitea.of(f"{server.url}/ops/config.git", "", token_file)
    yield client
    client.close()


def test_a_status_arrives_with_all_it_says(server: FakeGitea, gitea: Gitea) -> None:
    gitea.create_status(STATUS)
    assert gitea.statuses(SHA) == [STATUS]
    assert server.requests[0].body == {
        "state": "success",
        "context": "gitops/mini",
        "description": "applied; nginx: 1 updated",
        "target_url": "http://agent.example/runs/1",
    }


def test_statuses_come_oldest_first_whatever_the_servers_order_and_page(server: FakeGitea, gitea: Gitea) -> None:
    """Failure mode 52: more than 50 statuses are paged; and an administrator may allow fewer a page than we ask for."""
    server.largest_page = 7
    texts = [f"attempt {number}" for number in range(60)]
    for text in texts:
        gitea.create_status(CommitStatus(SHA, "gitops/mini", StatusState.FAILURE, text))
    assert [status.description for status in gitea.statuses(SHA)] == texts
    assert server.count("GET", "/statuses/") == 9


def test_states_that_are_not_ours_are_passed_over(server: FakeGitea, gitea: Gitea) -> None:
    gitea.create_status(STATUS)
    server.repositories["ops/config"].statuses[SHA][0]["status"] = "warning"
    gitea.create_status(STATUS)
    assert gitea.statuses(SHA) == [STATUS]


def test_a_commit_that_is_gone_is_told_from_a_broken_gitea(server: FakeGitea, gitea: Gitea) -> None:
    """Failure mode 55: Gitea answers 500 for an unknown commit."""
    with pytest.raises(CommitGone, match="ops/config has no commit 0123456789 any more"):
        gitea.create_status(CommitStatus(GONE, "gitops/mini", StatusState.SUCCESS, "applied"))
    server.trouble.fail, server.trouble.status = 1, 500
    with pytest.raises(Unavailable, match="gitea answered 500 to a status of ce5c668bcd: trouble") as caught:
        gitea.create_status(STATUS)
    assert not isinstance(caught.value, CommitGone)


def test_a_repository_that_is_not_to_be_seen_is_no_commit_that_is_gone(server: FakeGitea, token_file: Path) -> None:
    stranger = Gitea(server.url, "ops/other", token_file)
    with pytest.raises(TokenRefused, match="no repository ops/other that this token may see"):
        stranger.create_status(STATUS)
    stranger.close()


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        (("read:repository",), r"required=\[write:repository\], token scope=read:repository"),
        (("write:issue",), r"required=\[write:repository\], token scope=write:issue"),
    ],
)
def test_a_token_that_lacks_a_scope_is_the_operators_affair(
    server: FakeGitea, gitea: Gitea, token_file: Path, scopes: tuple[str, ...], said: str
) -> None:
    """Failure mode 54."""
    token_file.write_text(server.add_token("another-token-of-the-bot", *scopes))
    with pytest.raises(TokenRefused, match=said) as caught:
        gitea.create_status(STATUS)
    assert caught.value.acts == "operator"


def test_a_new_token_is_used_without_a_restart_and_neither_is_ever_said(server: FakeGitea, gitea: Gitea, token_file: Path) -> None:
    """Failure mode 10: credentials rotated while the agent runs."""
    gitea.create_status(STATUS)
    del server.tokens[TOKEN]
    with pytest.raises(TokenRefused, match="invalid username, password or token") as caught:
        gitea.create_status(STATUS)
    assert TOKEN not in str(caught.value)
    token_file.write_text(server.add_token("the-rotated-token-of-the-bot"))
    gitea.create_status(STATUS)
    assert len(server.statuses("ops/config", SHA)) == 2


def test_without_a_token_a_public_repository_can_be_read(server: FakeGitea) -> None:
    server.add_repository("ops/open", commits=[SHA], private=False)
    anonymous = Gitea(server.url, "ops/open", None)
    assert anonymous.statuses(SHA) == []
    with pytest.raises(TokenRefused, match="token is required"):
        anonymous.create_status(STATUS)
    anonymous.close()


def test_a_token_file_that_cannot_be_read_is_named(server: FakeGitea, tmp_path: Path) -> None:
    gitea = Gitea(server.url, "ops/config", tmp_path / "none")
    with pytest.raises(TokenRefused, match=r"the token in .*/none cannot be read: No such file"):
        gitea.statuses(SHA)
    gitea.close()
    assert server.requests == []


@pytest.mark.parametrize(
    ("retry_after", "low", "high"),
    [
        ("7", 7.0, 7.0),
        (timedelta(seconds=3000), 2900.0, 3000.0),
        ("86400", 3600.0, 3600.0),
        ("0", 1.0, 1.0),
    ],
)
def test_a_request_to_slow_down_is_heard(
    server: FakeGitea, gitea: Gitea, retry_after: str | timedelta, low: float, high: float
) -> None:
    """Failure mode 53: 429 with Retry-After in seconds or as a date; never a day, never nothing."""
    if isinstance(retry_after, timedelta):
        retry_after = format_datetime(datetime.now(UTC) + retry_after, usegmt=True)
    server.trouble.fail, server.trouble.status, server.trouble.retry_after = 1, 429, retry_after
    with pytest.raises(Throttled) as caught:
        gitea.create_status(STATUS)
    assert caught.value.seconds is not None
    assert low <= caught.value.seconds <= high


@pytest.mark.parametrize("retry_after", ["", "soon"])
def test_without_a_time_to_wait_the_caller_decides(server: FakeGitea, gitea: Gitea, retry_after: str) -> None:
    server.trouble.fail, server.trouble.status, server.trouble.retry_after = 1, 429, retry_after
    with pytest.raises(Throttled) as caught:
        gitea.create_status(STATUS)
    assert caught.value.seconds is None


def test_an_answer_that_is_lost_is_unavailable_and_the_status_is_there(server: FakeGitea, gitea: Gitea) -> None:
    server.trouble.drop_answers = 1
    with pytest.raises(Unavailable, match="gitea cannot be reached"):
        gitea.create_status(STATUS)
    assert gitea.statuses(SHA) == [STATUS]


def test_a_gitea_that_is_down_or_too_slow_is_unavailable(server: FakeGitea, token_file: Path) -> None:
    impatient = Gitea(server.url, "ops/config", token_file, timeout=0.2)
    server.trouble.delay = 1.0
    with pytest.raises(Unavailable, match="no answer in time"):
        impatient.create_status(STATUS)
    server.stop()
    with pytest.raises(Unavailable, match="connection refused"):
        impatient.create_status(STATUS)
    impatient.close()


def test_hooks_and_version_for_the_doctor(server: FakeGitea, gitea: Gitea) -> None:
    """Failure mode 4: what `doctor` needs to say that a hook is missing, is switched off or signs nothing."""
    config = {"url": "http://agent.example/webhook/gitea", "content_type": "json"}
    server.repositories["ops/config"].hooks.append({"id": 1, "active": True, "events": ["push"], "config": config})
    (hook,) = gitea.hooks()
    assert (hook.url, hook.active, hook.events, hook.content_type) == (config["url"], True, ("push",), "json")
    assert gitea.version() == "1.26.3"


@pytest.mark.parametrize(
    ("source", "address", "url", "repository"),
    [
        ("https://git.bry.an/ops/config.git", "", "https://git.bry.an", "ops/config"),
        ("https://git.bry.an:3000/tools/gitea/ops/config", "", "https://git.bry.an:3000/tools/gitea", "ops/config"),
        ("http://bot@git.bry.an/ops/config.git/", "", "http://git.bry.an", "ops/config"),
        ("http://gitea:3000/ops/config.git", "https://git.bry.an/", "https://git.bry.an", "ops/config"),
        ("ssh://git@git.bry.an:2222/ops/config.git", "https://git.bry.an", "https://git.bry.an", "ops/config"),
        ("git@git.bry.an:ops/config.git", "https://git.bry.an", "https://git.bry.an", "ops/config"),
        ("/var/lib/gitea/git/repositories/ops/config.git", "http://127.0.0.1:3000", "http://127.0.0.1:3000", "ops/config"),
    ],
)
def test_the_repository_is_known_from_the_source(source: str, address: str, url: str, repository: str) -> None:
    """Failure mode 9: the configured address, never that of a payload."""
    gitea = Gitea.of(source, address, None)
    assert (gitea.url, gitea.repository) == (url, repository)
    gitea.close()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("git@git.bry.an:ops/config.git", "set `gitea` to its address"),
        ("https://git.bry.an/config.git", "should end in OWNER/NAME.git"),
        ("https://git.bry.an/ops/con fig.git", "should end in OWNER/NAME.git"),
    ],
)
def test_a_source_that_does_not_say_where_is_a_config_error(source: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Gitea.of(source, "", None)


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_not_followed_with_the_token(server: FakeGitea, gitea: Gitea, status: int) -> None:
    server.trouble.fail, server.trouble.status = 1, status
    with pytest.raises(AgentError, match=f"gitea answered {status}"):
        gitea.create_status(STATUS)
    assert server.count("POST") == 1


def test_something_else_that_answers_is_not_taken_for_gitea(server: FakeGitea, gitea: Gitea) -> None:
    """A proxy's login page is 200 to everything; a status it swallowed has not arrived."""
    server.trouble.fail, server.trouble.status = 1, 200
    with pytest.raises(Unavailable, match="answered 200"):
        gitea.create_status(STATUS)
    server.trouble.fail = 1
    with pytest.raises(Unavailable, match="something else than a list"):
        gitea.statuses(SHA)
