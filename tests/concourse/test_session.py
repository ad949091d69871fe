"""Logging in, staying logged in, and saying who must act when that fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.concourse import Client, LoginRefused, RoleMissing, Session
from gitops_agent.errors import Unavailable
from tests.concourse.conftest import Server
from tests.fakes.concourse import FakeConcourse

LogIn = Callable[..., Session]


def whoami(session: Session) -> dict[str, object]:
    return dict(session.call("GET", "/user", needs="any role").data)


def logins(fake: FakeConcourse) -> int:
    return fake.calls.count("POST /sky/issuer/token")


def test_a_user_is_logged_in_once(server: Server, log_in: LogIn) -> None:
    session = log_in(server.url, server.user, server.password)
    assert "main" in dict(whoami(session)["teams"])  # type: ignore[call-overload]
    whoami(session)
    if server.fake is not None:
        assert logins(server.fake) == 1


def test_a_client_logs_in_with_its_secret(fake: FakeConcourse, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("agent-secret\n")
    session = Session(fake.url, Client("agent", tmp_path / "secret"))
    assert whoami(session)["teams"] == {"main": ["member"]}
    session.close()


def test_a_token_that_concourse_forgot_is_renewed(fake: FakeConcourse, log_in: LogIn) -> None:
    """The web node was restarted with another signing key."""
    session = log_in(fake.url)
    whoami(session)
    fake.tokens.clear()
    assert whoami(session)["user_id"] == "local:live"
    assert logins(fake) == 2


def test_a_token_is_renewed_before_it_ends(fake: FakeConcourse, log_in: LogIn) -> None:
    fake.lifetime = 0
    session = log_in(fake.url)
    whoami(session)
    whoami(session)
    assert logins(fake) == 2
    assert not [call for call in fake.calls if call == "GET /api/v1/user"][2:], "none was refused"


def test_a_changed_password_is_read_at_the_next_login(fake: FakeConcourse, log_in: LogIn, tmp_path: Path) -> None:
    session = log_in(fake.url)
    whoami(session)
    fake.tokens.clear()
    fake.users["live"] = "another-one"
    with pytest.raises(LoginRefused):
        whoami(session)
    (tmp_path / "password-of-live").write_text("another-one")
    assert whoami(session)["user_id"] == "local:live"


def test_a_wrong_password_is_the_operators_affair(server: Server, log_in: LogIn) -> None:
    with pytest.raises(LoginRefused, match="concourse refuses the login of live: Invalid username or password") as raised:
        whoami(log_in(server.url, server.user, "not-the-password"))
    assert raised.value.acts == "operator"
    assert "not-the-password" not in str(raised.value)


def test_a_missing_role_is_named(fake: FakeConcourse, log_in: LogIn) -> None:
    fake.users["guest"] = "guest-pw"
    with pytest.raises(RoleMissing, match="concourse: guest lacks role viewer in team main"):
        log_in(fake.url, "guest", "guest-pw").call("GET", "/teams/main/pipelines/p/config", needs="role viewer in team main")


def test_tokens_and_passwords_are_masked(fake: FakeConcourse, log_in: LogIn) -> None:
    """Failure mode 59."""
    whoami(log_in(fake.url))
    (token,) = fake.tokens
    assert secret.mask(f"{token} live-pw") == f"{secret.SHOWN} {secret.SHOWN}"


def test_a_missing_password_file_is_named(fake: FakeConcourse, log_in: LogIn, tmp_path: Path) -> None:
    session = log_in(fake.url)
    (tmp_path / "password-of-live").unlink()
    with pytest.raises(Unavailable, match="password-of-live cannot be read: No such file"):
        whoami(session)


def test_an_unreachable_concourse_is_unavailable(log_in: LogIn) -> None:
    with pytest.raises(Unavailable, match=r"concourse cannot be reached at http://127\.0\.0\.1:9"):
        whoami(log_in("http://127.0.0.1:9"))
