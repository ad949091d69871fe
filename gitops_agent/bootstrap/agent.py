"""The agent itself: its settings and its Compose project where its container reads them, and its first green run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gitops_agent.api import Api
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import ApplyFailed, Unavailable
from gitops_agent.model import Outcome
from gitops_agent.secret.files import read_secret

_SERVICE = "gitops-agent"
_GREEN = 900.0
"""Seconds for the first run: it starts nothing, but may have to wait for what was started a moment ago."""
_RED = 120.0
"""Seconds after which the same failure is no matter of waiting: somebody has to do something, such as to start a worker."""
_FAILED = (Outcome.FAILURE, Outcome.ERROR)
_PAUSE = 1.0


class AgentStarted(Step):
    """ROOT/agent is the operator's: what the config repo says there is put in place by this, and by nothing else."""

    name = "agent"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        blueprint = ground.blueprint
        self._files = {"agent.toml": blueprint.settings_text, "compose.yaml": blueprint.project_text}

    def missing(self) -> str:
        for name, text in self._files.items():
            if _text(self._ground.agent_directory / name) != text:
                return f"{self._ground.agent_directory / name} is not what the config repo says"
        found = self._ground.engine.find(f"{self._ground.blueprint.container}/{_SERVICE}")
        return "" if found is not None and found.running else "it does not run"

    def do(self) -> None:
        directory = self._ground.agent_directory
        directory.mkdir(exist_ok=True, mode=0o700)
        for name, text in self._files.items():
            (directory / name).write_text(text)
        self._ground.give()
        # A file that is mounted changed under it: Compose sees no difference.
        self._ground.compose("up", "--detach", "--force-recreate")


class FirstRun(Step):
    """Done when the agent says that what is on the branch is applied."""

    name = "first run"
    patience = 60
    alone = False

    def __init__(self, status: Callable[[], Mapping[str, Any]], red: float = _RED) -> None:
        """`status` gives what the agent says of its environment, `red` is for how many seconds it may go on to fail."""
        self._status = status
        self._red = red
        self._failed = False

    def missing(self) -> str:
        said = self._status()
        self._failed = said.get("outcome") in _FAILED
        applied, head = said.get("last_applied_revision"), said.get("head")
        if applied is not None and applied == head:
            return ""
        return str(said.get("message") or "nothing was applied yet")

    def do(self) -> None:
        """Waits, and tells what the agent says meanwhile. Raises ApplyFailed with that when it is not green in time, or goes on
        to fail in the same way."""
        now = time.monotonic()
        deadline, said, since = now + _GREEN, self._missing(), now
        while missing := self._missing():
            now = time.monotonic()
            if missing != said:
                said, since = missing, now
                self.tell(said)
            if now >= deadline or (self._failed and now >= since + self._red):
                raise ApplyFailed(f"the first run is not green: {missing}; the agent keeps trying: mend it, and run this again")
            time.sleep(_PAUSE)

    def _missing(self) -> str:
        try:
            return self.missing()
        except Unavailable as error:
            return str(error)


def status(ground: Ground) -> Mapping[str, Any]:
    """What the agent says of the environment. Raises Unavailable where it does not answer."""
    blueprint = ground.blueprint
    token = read_secret(blueprint.settings.serve.token_file or ground.state / "token")
    addresses = ground.container(_SERVICE, blueprint.container).addresses
    if not addresses:
        raise Unavailable("the agent's container has no address")
    port = blueprint.settings.serve.listen.rpartition(":")[2]
    api = Api("gitops-agent", f"http://{addresses[0]}:{port}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    said = api.call("GET", f"/api/v1/environments/{blueprint.environment}").data
    return said if isinstance(said, dict) else {}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
