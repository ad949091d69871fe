"""An adopted file keeps the mode it was found with: whoever reads or runs it did so before."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitops_agent import secret
from gitops_agent.model import Files
from gitops_agent.secret import Secret
from tests.conformance.converge import converge, plan
from tests.conformance.subject import KEY, REFERENCE
from tests.targets.test_files import InPlaceSubject


@pytest.fixture
def subject(tmp_path: Path) -> InPlaceSubject:
    return InPlaceSubject(tmp_path)


def adopt(subject: InPlaceSubject, files: Files, modes: dict[str, int]) -> None:
    """Plants the files with their values, and lets the agent adopt them."""
    placeholder = secret.placeholder(Secret(REFERENCE), KEY).encode()
    subject.plant({path: content.replace(placeholder, b"canary-Wq7-value") for path, content in files.items()})
    for path, mode in modes.items():
        (subject.live / path).chmod(mode)
    converge(subject.target(), files)


def mode(subject: InPlaceSubject, path: str) -> int:
    return (subject.live / path).stat().st_mode & 0o777


def test_a_secret_that_others_may_read_stays_so_and_is_written_no_second_time(subject: InPlaceSubject) -> None:
    files = subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY))
    adopt(subject, files, {"password": 0o644})
    assert not plan(subject.target(), files), "found once more without any history"
    converge(subject.target(), files, secrets={REFERENCE: "another-value-Xy9"})
    assert (subject.live / "password").read_bytes() == b"another-value-Xy9"
    assert mode(subject, "password") == 0o644


def test_a_script_stays_executable(subject: InPlaceSubject) -> None:
    adopt(subject, subject.first, {"main.conf": 0o755})
    converge(subject.target(), subject.second, applied=subject.first)
    assert (subject.live / "main.conf").read_bytes() == subject.second["main.conf"]
    assert mode(subject, "main.conf") == 0o755


def test_a_mode_changed_afterwards_is_drift_of_a_secret(subject: InPlaceSubject) -> None:
    files = subject.with_secret(secret.placeholder(Secret(REFERENCE), KEY))
    adopt(subject, files, {"password": 0o640})
    (subject.live / "password").chmod(0o666)
    assert [change.name for change in plan(subject.target(), files)] == ["password"]
    converge(subject.target(), files)
    assert mode(subject, "password") == 0o640
