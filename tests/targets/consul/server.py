"""A real Consul for tests: `consul agent -dev` on loopback, ACLs on and default deny."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_ACL = (
    ("binding-rules", "binding-rule", "ID"),
    ("auth-methods", "auth-method", "Name"),
    ("tokens", "token", "AccessorID"),
    ("roles", "role", "ID"),
    ("policies", "policy", "ID"),
)
_KINDS = (
    *(
        "jwt-provider",
        "proxy-defaults",
        "service-defaults",
        "service-resolver",
        "service-splitter",
        "service-router",
        "service-intentions",
        "mesh",
    ),
    *("api-gateway", "ingress-gateway", "terminating-gateway", "http-route", "tcp-route", "exported-services"),
)


class ConsulServer:
    """Looks at and changes Consul without any code of the agent's. `secret` is the management token."""

    def __init__(self, program: str, directory: Path, free_port: Callable[[], int], *options: str) -> None:
        ports = {name: free_port() for name in ("http", "server", "serf_lan", "serf_wan")}
        acl = {"enabled": True, "default_policy": "deny"}
        config = {"ports": {**ports, "dns": -1, "grpc": -1}, "bind_addr": "127.0.0.1", "acl": acl, "disable_update_check": True}
        (directory / "config.json").write_text(json.dumps(config))
        self.url = f"http://127.0.0.1:{ports['http']}"
        self.log = directory / "consul.log"
        self.secret = ""
        command = [program, "agent", "-dev", "-node=test", f"-config-file={directory / 'config.json'}", *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.secret = self._bootstrap()
            self.call("PUT", "/v1/agent/token/agent", {"Token": self.secret})
            self._kept = {
                one.get("ID", one.get("AccessorID")) for name, _, _ in _ACL for one in self.call("GET", f"/v1/acl/{name}")
            }
            self._kinds = [kind for kind in _KINDS if self._knows(kind)]
        except BaseException:
            self.stop()
            raise

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """The JSON of the answer, None for a 404. `body` is JSON unless it is bytes."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = Request(self.url + path, data, {"X-Consul-Token": self.secret if token is None else token}, method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            with error:
                if error.code == 404:
                    return None
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def keys(self, prefix: str = "") -> dict[str, tuple[bytes, int]]:
        """(value, ModifyIndex) by key."""
        rows = self.call("GET", f"/v1/kv/{prefix}?recurse=true") or []
        return {row["Key"]: (base64.b64decode(row["Value"] or ""), row["ModifyIndex"]) for row in rows}

    def put(self, key: str, value: str | bytes) -> None:
        self.call("PUT", f"/v1/kv/{key}", value.encode() if isinstance(value, str) else value)

    def delete(self, key: str) -> None:
        self.call("DELETE", f"/v1/kv/{key}")

    def token(self, rules: str) -> str:
        """A new token with one new policy."""
        name = f"test-{time.monotonic_ns()}"
        policy = self.call("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})
        token = self.call("PUT", "/v1/acl/token", {"Policies": [{"Name": name}]})
        self._kept |= {policy["ID"], token["AccessorID"]}
        return str(token["SecretID"])

    def acl(self, collection: str) -> list[dict[str, Any]]:
        """All objects but Consul's own and those of `token`."""
        found = self.call("GET", f"/v1/acl/{collection}")
        return [one for one in found if one.get("ID", one.get("AccessorID")) not in self._kept]

    def config(self) -> dict[str, dict[str, Any]]:
        """Config entries by `kind/name`."""
        entries = [entry for kind in self._kinds for entry in self.call("GET", f"/v1/config/{kind}")]
        return {f"{entry['Kind']}/{entry.get('Name', 'mesh')}": entry for entry in entries}

    def nodes(self) -> list[str]:
        """Names of external nodes."""
        return [node["Node"] for node in self.call("GET", "/v1/catalog/nodes") if not node["ID"]]

    def empty(self) -> None:
        """Takes away everything that a test may have left; quick enough to have one server for all tests."""
        self.call("DELETE", "/v1/kv/?recurse=true")
        for collection, item, identity in _ACL:
            for one in self.acl(collection):
                self.call("DELETE", f"/v1/acl/{item}/{one[identity]}")
        for name in reversed(self.config()):
            self.call("DELETE", f"/v1/config/{name}")
        for node in self.nodes():
            self.call("PUT", "/v1/catalog/deregister", {"Node": node})

    def _knows(self, kind: str) -> bool:
        try:
            self.call("GET", f"/v1/config/{kind}")
        except AssertionError:
            return False
        return True

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def _bootstrap(self) -> str:
        deadline = time.monotonic() + 30
        while True:
            try:
                return str(self.call("PUT", "/v1/acl/bootstrap")["SecretID"])
            except (URLError, ConnectionError, AssertionError):
                ended = self.process.poll() is not None or time.monotonic() > deadline
                assert not ended, f"consul did not start:\n{self.log.read_text()[-2000:]}"
                time.sleep(0.05)
