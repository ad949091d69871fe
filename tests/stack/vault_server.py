"""A real Vault or OpenBao that is started as the stack starts it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.stack import rendered
from tests.targets.vault.server import VaultServer

_PORTS = ("8200", "8201")


class StackVault(VaultServer):
    """Started with the stack's own configuration, but for ports and the path of its data; `files` are the stack's folder for it,
    `secrets` the files with what programs show to it."""

    def __init__(self, program: str, directory: Path, free_port: Callable[[], int], *, nomad_workload_identity: bool) -> None:
        self.is_vault = Path(program).name.startswith("vault")
        said = {"openbao": not self.is_vault, "nomad_workload_identity": nomad_workload_identity}
        values = f"features: {json.dumps(said)}"
        self.files = rendered.folder("vault", values)
        text = rendered.folder("vault-server", values)["vault.hcl"].decode()
        self.secrets = directory / "secrets"
        self.secrets.mkdir()
        for name in ("prometheus-vault-token", "nomad-server-vault-token"):
            (self.secrets / name).write_text(rendered.value(f"file:{name}"))
        data = directory / "data"
        data.mkdir()
        text = (
            text.replace("/vault/file" if self.is_vault else "/openbao/file", str(data))
            .replace("http://vault:", "http://127.0.0.1:")
            .replace("0.0.0.0:", "127.0.0.1:")
        )
        for port in _PORTS:
            text = text.replace(f":{port}", f":{free_port()}")
        (directory / "server.hcl").write_text(text)
        self._directory, self._program = directory, program
        self.url = text.split('api_addr     = "')[1].split('"')[0]
        self.root = self.key = ""
        try:
            self.start()
            made = self.call("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            self.root, self.key = made["root_token"], made["keys_base64"][0]
            self.unseal()
        except BaseException:
            self.stop()
            raise

    @property
    def said(self) -> str:
        return (self._directory / "server.log").read_text()
