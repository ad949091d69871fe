"""What the config repo says of the mini-cloud that is to be: its newest commit, rendered, read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from gitops_agent.errors import ConfigError, Unavailable
from gitops_agent.model import Files, Revision
from gitops_agent.render import Renderer
from gitops_agent.settings import AgentSettings
from gitops_agent.settings.load import read
from gitops_agent.source import Remote, Source

_FACTS, _SETTINGS, _PROJECT = "agent/bootstrap.yaml", "agent/agent.toml", "agent/compose.yaml"
_FORMS = "secrets.yaml"
NOMAD_TOKEN = "nomad-server-vault-token"  # noqa: S105 -- a name
"""Of Nomad's servers up to 1.9; newer ones show Vault identities instead."""


class Owner(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    email: str


class Facts(BaseModel):
    """`agent/bootstrap.yaml` of the config repo. `address` and `ports` are the host's; `addresses` those of the systems."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    project: str
    root: Path
    owner: Owner
    repository: str
    without: tuple[str, ...]
    address: str
    ports: tuple[int, ...]
    hostnames: tuple[str, ...]
    addresses: Mapping[str, str]
    image: str
    checkers: str = ""
    nomad_token_in_vault: bool


@dataclass(frozen=True)
class Blueprint:
    """`place` is the config repo on this host; `secrets` the form of each secret by its name; `settings_text` and `project_text`
    are what the agent starts with."""

    place: Path
    environment: str
    revision: Revision
    facts: Facts
    settings: AgentSettings
    settings_text: str
    project_text: str
    secrets: Mapping[str, str]

    @classmethod
    def read(cls, place: Path, environment: str = "") -> Blueprint:
        """Raises ConfigError for what is no config repo of a whole mini-cloud, InvalidRevision for mistakes in it."""
        place = place.absolute()
        with TemporaryDirectory(prefix="gitops-agent-") as temporary:
            source = Source(Remote(str(place)), Path(temporary), "bootstrap")
            try:
                revision = source.fetch()
                files = source.read(revision)
            except Unavailable as error:
                raise ConfigError(f"{place} has no commit on main ({error}): commit first") from None
            finally:
                source.close()
        name = _environment(files, environment)
        rendered = _rendered(files, name, revision)
        missing = [path for path in (_FACTS, _SETTINGS, _PROJECT, _FORMS) if path not in rendered]
        if missing:
            raise ConfigError(
                f"{place} describes no whole mini-cloud: it has no {missing[0]}; `gitops-agent init` writes one that does"
            )
        try:
            facts = Facts.model_validate(yaml.safe_load(rendered[_FACTS]))
            forms = {str(secret): str(form) for secret, form in yaml.safe_load(rendered[_FORMS]).items()}
        except (ValidationError, yaml.YAMLError, AttributeError) as error:
            raise ConfigError(f"{_FACTS} or {_FORMS}: {' '.join(str(error).split())}") from None
        if not facts.nomad_token_in_vault:
            forms.pop(NOMAD_TOKEN, None)
        text = rendered[_SETTINGS].decode()
        settings = read(text, Path(_SETTINGS))
        if name not in settings.environments:
            raise ConfigError(f"{_SETTINGS} has no environment {name!r}")
        return cls(place, name, revision, facts, settings, text, rendered[_PROJECT].decode(), forms)

    def has(self, service: str) -> bool:
        return service not in self.facts.without

    @property
    def proposals_team(self) -> str:
        """The team of Concourse in which proposals are validated; empty where they are not."""
        previews = self.settings.environments[self.environment].previews
        return previews.validation.team if previews and previews.validation else ""

    @property
    def container(self) -> str:
        """Name of the agent's own Compose project."""
        return f"{self.facts.project}-agent"


def _environment(files: Files, wanted: str) -> str:
    known = sorted({Path(path).stem for path in files if path.startswith("values/") and path.endswith(".yaml")} - {"common"})
    if wanted and wanted not in known:
        raise ConfigError(f"there is no values/{wanted}.yaml; there are {', '.join(known) or 'none'}")
    if not wanted and len(known) != 1:
        raise ConfigError(f"name the environment with --environment: {', '.join(known) or 'values/ has none'}")
    return wanted or known[0]


def _rendered(files: Files, environment: str, revision: Revision) -> Files:
    renderer = Renderer()
    try:
        return renderer.render(files, environment, revision, b"\0" * 32)
    finally:
        renderer.close()
