"""A real OpenBao or Vault for tests: `server` on loopback with storage in a directory, initialised and unsealed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

_CONFIG = """
storage "{storage}" {{
  path = "{directory}/data"
{node}}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "http://127.0.0.1:{cluster}"
disable_mlock = true
ui = false
"""


class VaultServer:
    """Looks at and changes Vault without any code of the agent's. `root` is the root token."""

    def __init__(self, program: str, directory: Path, free_port: Callable[[], int]) -> None:
        self.is_vault = Path(program).name.startswith("vault")
        port, cluster = free_port(), free_port()
        (directory / "data").mkdir()
        self._directory = directory
        self._program = program
        self.url = f"http://127.0.0.1:{port}"
        storage, node = ("file", "") if self.is_vault else ("raft", '  node_id = "test"\n')
        config = _CONFIG.format(storage=storage, node=node, directory=directory, port=port, cluster=cluster)
        # OpenBao 2.7 has taken disable_mlock out; Vault without it needs privileges.
        (directory / "server.hcl").write_text(config if self.is_vault else config.replace("disable_mlock = true\n", ""))
        self.root = ""
        self.key = ""
        self.start()
        try:
            made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.root, self.key = made["root_token"], made["keys_base64"][0]
            self.unseal()
        except BaseException:
            self.stop()
            raise

    def start(self) -> None:
        with (self._directory / "server.log").open("ab") as log:
            command = [self._program, "server", f"-config={self._directory / 'server.hcl'}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self._until("sys/seal-status", lambda _: True)

    def unseal(self) -> None:
        self.call("PUT", "sys/unseal", {"key": self.key})
        self.until_active()

    def until_active(self) -> None:
        self._until("sys/health", lambda said: not said["sealed"] and not said["standby"])

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
        """The JSON of the answer, None for a 404 and where there is none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"X-Vault-Token": self.root if token is None else token}
        request = Request(f"{self.url}/v1/{path}", data, headers, method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return json.loads(response.read() or b"null")
        except HTTPError as error:
            with error:
                said = error.read().decode()
                if error.code == 404:
                    return None
                raise AssertionError(f"{method} {path}: {error.code} {said}") from None

    def data(self, path: str) -> Any:
        said = self.call("GET", path)
        return None if said is None else said["data"]

    def entry(self, path: str) -> tuple[Any, int] | None:
        """(values, version) of what lies at MOUNT/PATH in KV version 2."""
        mount, _, rest = path.partition("/")
        said = self.data(f"{mount}/data/{rest}")
        return None if said is None else (said["data"], said["metadata"]["version"])

    def put_entry(self, path: str, values: Any) -> None:
        mount, _, rest = path.partition("/")
        self.call("POST", f"{mount}/data/{rest}", {"data": values})

    def policies(self) -> dict[str, str]:
        names = self.call("LIST", "sys/policies/acl")["data"]["keys"]
        return {name: self.data(f"sys/policies/acl/{name}")["policy"] for name in names if name not in ("default", "root")}

    def token(self, policy: str) -> str:
        """A new token with one policy of that text."""
        self.call("PUT", "sys/policies/acl/zz-agent", {"policy": policy})
        return str(self.call("POST", "auth/token/create", {"policies": ["zz-agent"]})["auth"]["client_token"])

    def empty(self) -> None:
        """Takes away everything but the agent's policy; quick enough to have one server for all tests."""
        for name in self.policies():
            if name != "zz-agent":
                self.call("DELETE", f"sys/policies/acl/{name}")
        for api, own in (("mounts", {"sys", "identity", "cubbyhole"}), ("auth", {"token"})):
            for path in {path.rstrip("/") for path in self.data(f"sys/{api}")} - own:
                self.call("DELETE", f"sys/{api}/{path}")
        for path in self.data("sys/audit"):
            self.call("DELETE", f"sys/audit/{path}")

    def mount_kv(self, path: str) -> None:
        self.call("POST", f"sys/mounts/{path}", {"type": "kv", "options": {"version": "2"}})
        self._until(f"{path}/config", lambda said: "data" in said)

    def _until(self, path: str, condition: Callable[[Any], bool]) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                if condition(self.call("GET", path)):
                    return
            except (URLError, ConnectionError, AssertionError, KeyError, TypeError):
                pass
            ended = self.process.poll() is not None or time.monotonic() > deadline
            assert not ended, f"{path}:\n{(self._directory / 'server.log').read_text()[-2000:]}"
            time.sleep(0.02)
