"""A token is replaced, and its users before and after Vault in the order of targets follow, before the old one is revoked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.world import World
from tests.targets.vault.conftest import ENVIRONMENT
from tests.targets.vault.server import VaultServer

pytestmark = pytest.mark.slow


def _targets(world: World, vault: VaultServer, token_file: Path) -> str:
    user = 'kind = "files"\nname = "{0}"\ndirectory = "{1}/{0}"\nsecrets = ["file:*"]\n'
    system = f'kind = "vault"\naddress = "{vault.url}"\nname = "vault"\ntoken_file = "{token_file}"\nsecrets = ["file:*"]\n'
    system += f'token_directory = "{world.path}/state/secrets"\n'
    each = [user.format("before", world.path), system, user.format("after", world.path)]
    return "".join(f"[[environments.{ENVIRONMENT}.targets]]\n{one}" for one in each)


def test_users_follow_wherever_they_stand(
    vault: VaultServer, token_file: Path, free_port: Callable[[], int], tmp_path: Path
) -> None:
    (tmp_path / "world").mkdir()
    world = World(tmp_path / "world", free_port())
    world.configure(_targets(world, vault, token_file))
    world.toml.write_text(world.toml.read_text().replace("environments.live", f"environments.{ENVIRONMENT}"))
    secrets = world.path / "state/secrets"
    secrets.mkdir(parents=True)
    old = "c" * 40  # what programs were started with, before there was a Vault
    (secrets / "web-token").write_text(old)

    def run() -> str:
        command = [sys.executable, "-m", "gitops_agent", "apply", "--config", world.toml, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=60, check=False)
        assert json.loads(done.stdout)["outcome"] == "success", done.stdout + done.stderr
        return done.stdout + done.stderr

    def users() -> list[str]:
        return [(world.path / name / "current/token").read_text() for name in ("before", "after")]

    def works(value: str) -> bool:
        try:
            return bool(vault.call("GET", "auth/token/lookup-self", token=value))
        except AssertionError:
            return False

    reference = "{{ secret('file:web-token') }}"
    files: dict[str, str | None] = {"before/token.j2": reference, "after/token.j2": reference}
    world.push({**files, "vault/tokens.yaml": "web: {policies: [web], secret: web-token}\n"})
    said = run()
    assert users() == [old, old]
    assert works(old)
    world.push({"vault/tokens.yaml": "web: {policies: [web, more], secret: web-token}\n"})
    said += run()
    new = (secrets / "web-token").read_text().strip()
    assert new != old
    assert all(map(works, [*users(), new]))
    said += run()
    assert users() == [new, new]
    assert (works(old), works(new)) == (False, True)
    assert old not in said
    assert new not in said
