"""Signed commits, with the agent as a process: what nobody allowed has signed touches nothing, and says so."""

from __future__ import annotations

import subprocess

import pytest

from tests.gitserver import git
from tests.worker.running import REPOSITORY, Running

pytestmark = pytest.mark.slow


def test_an_unsigned_commit_is_an_error_and_touches_nothing_and_a_signed_one_is_applied(agent: Running) -> None:
    key = agent.path / "ann"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (agent.path / "allowed").write_text(f"ann@example.org {key.with_suffix('.pub').read_text()}")
    agent.configure(allowed_signers=str(agent.path / "allowed"))
    for name, value in {"gpg.format": "ssh", "user.signingkey": str(key), "commit.gpgsign": "true"}.items():
        git("config", name, value, at=agent.author.clone)
    agent.start()
    agent.settled(agent.author.push({"pages/a": "1"}))
    git("config", "commit.gpgsign", "false", at=agent.author.clone)
    unsigned = agent.author.push({"pages/a": "2", "pages/b.j2": "{{ rendered_it_would_fail }}"})
    agent.settled(unsigned, "error")
    assert agent.gitea.statuses(REPOSITORY, unsigned, "gitops/test")[-1][1] == f"commit {unsigned[:10]} is not signed"
    assert agent.published("pages", "a") == "1"
    git("reset", "--quiet", "--hard", "HEAD~1", at=agent.author.clone)
    git("config", "commit.gpgsign", "true", at=agent.author.clone)
    agent.author.commit({"pages/a": "3"})
    git("push", "--quiet", "--force", "origin", "HEAD:main", at=agent.author.clone)
    agent.settled(git("rev-parse", "HEAD", at=agent.author.clone))
    assert agent.published("pages", "a") == "3"
