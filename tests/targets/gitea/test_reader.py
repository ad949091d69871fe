"""What plans pull requests: another Gitea target, with a token of the same user that can only read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.errors import AgentError
from gitops_agent.targets.gitea.target import GiteaTarget
from tests.conformance.converge import carry_out, converge, plan
from tests.targets.gitea.server import GiteaServer


def test_it_plans_like_the_other_and_cannot_write(make: Callable[..., GiteaTarget], gitea: GiteaServer, tmp_path: Path) -> None:
    assert make().reader() is None
    (tmp_path / "reads").write_text(gitea.token("read:organization", "read:repository", "read:user"))
    was = {"organisations.yaml": b"acme: {}\n", "repositories.yaml": b"acme/config: {}\n"}
    wanted = {**was, "repositories.yaml": b"acme/config: {description: Ours}\nacme/new: {}\n"}
    target = make(preview_token_file=str(tmp_path / "reads"))
    converge(target, was)
    reader = target.reader()
    assert isinstance(reader, GiteaTarget)
    assert not plan(reader, was, applied=was)
    proposed = plan(reader, wanted, applied=was)
    assert proposed.text() == plan(target, wanted, applied=was).text()
    with pytest.raises(AgentError, match="scope"):
        list(carry_out(reader, proposed))
    assert not plan(target, was, applied=was)
    reader.close()
