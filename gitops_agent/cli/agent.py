"""The running agent, as the commands see it: its JSON API, found through agent.toml or named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from gitops_agent.cli import options
from gitops_agent.errors import ConfigError, Refused, Unavailable

_TIMEOUT = 10.0
_SAID = (400, 404, 409, 413, 415)
"""Statuses that come with a sentence about what was asked."""

Url: TypeAlias = Annotated[
    str, typer.Option("--url", envvar="GITOPS_AGENT_URL", metavar="URL", help="Where the agent is; what [serve] says unless given.")
]
TokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--token-file", envvar="GITOPS_AGENT_TOKEN_FILE", metavar="FILE", help="File with its token; that of [serve] unless given."
    ),
]


class Agent:
    """Asks, and says in the operator's words what went wrong. Raises Unavailable, Refused, ConfigError."""

    def __init__(self, config: Path | None, url: str, token_file: Path | None) -> None:
        from gitops_agent.api import Api

        if not (url and token_file):
            settings = options.settings(config)
            url = url or settings.serve.reachable
            token_file = token_file or settings.serve.token_file or settings.state / "token"
        try:
            token = token_file.read_text().strip()
        except OSError as error:
            raise ConfigError(f"token of the agent: {token_file}: {error.strerror}; has it been started yet?") from None
        self._api = Api("gitops-agent", url, headers={"Authorization": f"Bearer {token}"}, timeout=_TIMEOUT)

    def environments(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/environments")["environments"])

    def environment(self, name: str) -> dict[str, Any]:
        return self._ask("GET", f"/environments/{name}")

    def the_one(self, name: str) -> str:
        """The environment that is meant; asks only where it must."""
        return name or options.the_one(name, [each["name"] for each in self.environments()])

    def do(self, name: str, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """`sync`, `approve`, `suspend` or `resume`."""
        return self._ask("POST", f"/environments/{name}/{action}", json=body)

    def runs(self, environment: str = "", limit: int = 50) -> list[dict[str, Any]]:
        """The newest first."""
        wanted: dict[str, str | int] = {"limit": limit, **({"environment": environment} if environment else {})}
        return list(self._ask("GET", "/runs", params=wanted)["runs"])

    def run(self, run: str) -> dict[str, Any]:
        return self._ask("GET", f"/runs/{run}")

    def _ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        from urllib.parse import quote

        answer = self._api.call(method, f"/api/v1{quote(path)}", accept=_SAID, **request)
        if not isinstance(answer.data, dict):
            raise Unavailable(f"{self._api.url} is no gitops-agent: it answered {method} {path} with something else")
        if answer.status in _SAID:
            raise Refused(str(answer.data.get("error", answer.text)))
        return answer.data
