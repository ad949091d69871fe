"""A Concourse as its owner sees it, real or fake: looks and writes that do not go through the target."""

from __future__ import annotations

import json
from typing import Any

import requests

Json = Any
TEAM = "conformance"
_VERSION = "X-Concourse-Config-Version"


class ConcourseServer:
    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self.user, self.password = url, user, password
        grant = {"grant_type": "password", "username": user, "password": password, "scope": "openid profile federated:id"}
        token = requests.post(f"{url}/sky/issuer/token", data=grant, auth=("fly", "Zmx5"), timeout=30).json()["access_token"]
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        self._session.close()

    def set_team(self, body: Json) -> None:
        self._call("PUT", f"teams/{TEAM}", json=body)

    def empty(self) -> None:
        for row in self.rows():
            self._call("DELETE", f"teams/{TEAM}/pipelines/{row['name']}")

    def rows(self) -> list[Json]:
        return [row for row in self._call("GET", "pipelines").json() if row["team_name"] == TEAM]

    def config(self, name: str) -> tuple[Json, str]:
        answer = self._call("GET", f"teams/{TEAM}/pipelines/{name}/config")
        return answer.json()["config"], answer.headers[_VERSION]

    def set(self, name: str, config: bytes | Json) -> None:
        """As `fly set-pipeline` does, whatever is there."""
        known = {row["name"] for row in self.rows() if not row["archived"]}
        headers = {"Content-Type": "application/x-yaml"} | ({_VERSION: self.config(name)[1]} if name in known else {})
        data = config if isinstance(config, bytes) else json.dumps(config).encode()
        self._call("PUT", f"teams/{TEAM}/pipelines/{name}/config", data=data, headers=headers)

    def act(self, name: str, action: str) -> None:
        self._call("PUT", f"teams/{TEAM}/pipelines/{name}/{action}")

    def destroy(self, name: str) -> None:
        self._call("DELETE", f"teams/{TEAM}/pipelines/{name}")

    def order(self, names: list[str]) -> None:
        self._call("PUT", f"teams/{TEAM}/pipelines/ordering", json=names)

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        answer = self._session.request(method, f"{self.url}/api/v1/{path}", timeout=30, **more)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer
