"""The image that validation runs in, put into Gitea's registry: the agent's own with the checkers of the programs in it."""

from __future__ import annotations

import base64

from gitops_agent.api import Api
from gitops_agent.bootstrap.gitea import AGENT
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.registry import Registry
from gitops_agent.bootstrap.step import Step
from gitops_agent.secret import remember

_TAG = "latest"
"""What builds ask for, so that a newer image needs no change of theirs."""


class TaskImage(Step):
    """Nothing else needs it. So where it was not built on this host, it is left out, and whoever reads this is told."""

    name = "image of validation"
    patience = 60

    def __init__(self, ground: Ground) -> None:
        facts = ground.blueprint.facts
        self._ground = ground
        self._image = facts.checkers
        self._repository = f"{facts.repository.partition('/')[0].lower()}/gitops-agent-checkers"

    def missing(self) -> str:
        built = self._ground.engine.image(self._image) if self._image else ""
        if not built:
            why = f"there is no {self._image} on this host" if self._image else "agent/bootstrap.yaml names no `checkers`"
            self.name = f"image of validation: left out, {why}"
            return ""
        return "" if self._registry().image(_TAG) == built else f"{self._repository} is not {self._image} of this host"

    def do(self) -> None:
        self._registry().push(self._ground.engine, self._image, _TAG)

    def _registry(self) -> Registry:
        login = base64.b64encode(f"{AGENT}:{self._ground.secrets.read('gitops-agent-gitea-token')}".encode()).decode()
        remember(login)
        api: Api = self._ground.api("gitea", {"Authorization": f"Basic {login}"})
        return Registry(api, self._repository)
