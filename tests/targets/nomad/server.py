"""Raw looks at a Nomad and changes by hand, real or fake: through HTTP, and not through the target."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import requests


class NomadServer:
    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.management = token
        self._headers = {"X-Nomad-Token": token}

    def call(self, method: str, path: str, body: Any = None, **parameters: str | int) -> Any:
        answer = requests.request(method, f"{self.url}/v1/{path}", params=parameters, json=body, headers=self._headers, timeout=30)
        assert answer.ok or answer.status_code == 404, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.ok and answer.content else None

    def running(self) -> dict[str, Any]:
        """Jobs by name that are not stopped, as the API tells them one by one."""
        rows = self.call("GET", "jobs")
        return {row["ID"]: self.call("GET", f"job/{row['ID']}") for row in rows if not row["Stop"] and not row["ParentID"]}

    def parse(self, hcl: str, variables: str = "") -> Any:
        return self.call("POST", "jobs/parse", {"JobHCL": hcl, "Variables": variables, "Canonicalize": False})

    def register(self, job: Any) -> Any:
        return self.call("POST", "jobs", {"Job": job})

    def change(self, name: str, **fields: Any) -> None:
        """By hand, as from Nomad's UI."""
        self.register({**self.call("GET", f"job/{name}"), **fields})

    def stop(self, name: str, *, purge: bool = False) -> None:
        self.call("DELETE", f"job/{name}", purge=str(purge).lower())

    def variable(self, path: str) -> Any:
        return self.call("GET", f"var/{path}")

    def put_variable(self, path: str, **items: str) -> None:
        self.call("PUT", f"var/{path}", {"Path": path, "Items": items})

    def empty(self) -> None:
        for row in self.call("GET", "jobs"):
            self.stop(row["ID"], purge=True)
        for row in self.call("GET", "vars"):
            self.call("DELETE", f"var/{row['Path']}")
        for role in self.named("acl/roles"):
            self.call("DELETE", f"acl/role/{role['ID']}")
        for policy in self.named("acl/policies"):
            self.call("DELETE", f"acl/policy/{policy['Name']}")
        for namespace in self.named("namespaces"):
            for row in self.call("GET", "jobs", namespace=namespace["Name"]):
                self.call("DELETE", f"job/{row['ID']}", namespace=namespace["Name"], purge="true")
            for row in self.call("GET", "vars", namespace=namespace["Name"]):
                self.call("DELETE", f"var/{row['Path']}", namespace=namespace["Name"])
            self.eventually("no jobs", f"jobs?namespace={namespace['Name']}", lambda rows: not rows)
            self.call("DELETE", f"namespace/{namespace['Name']}")

    def named(self, collection: str) -> list[Any]:
        """Those of the tests: their names begin with `t-`."""
        return [row for row in self.call("GET", collection) if row["Name"].startswith("t-")]

    def token(self, policy: str) -> str:
        """A client token with exactly that policy."""
        name = f"gitops-agent-{hashlib.sha256(policy.encode()).hexdigest()[:8]}"
        self.call("POST", f"acl/policy/{name}", {"Name": name, "Rules": policy})
        return str(self.call("POST", "acl/token", {"Name": "agent", "Type": "client", "Policies": [name]})["SecretID"])

    def eventually(self, what: str, path: str, wanted: Any, within: float = 60) -> Any:
        """Waits until `wanted` of the answer to `path` is true."""
        deadline = time.monotonic() + within
        while not wanted(found := self.call("GET", path)):
            assert time.monotonic() < deadline, f"{what}: not within {within:g} s: {found}"
            time.sleep(0.05)
        return found
