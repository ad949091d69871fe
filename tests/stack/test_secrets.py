"""No secret is in the stack, and secrets.yaml knows each that is referred to, so that `bootstrap` can make them all."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
import yaml

from gitops_agent.model import Files
from gitops_agent.secret.placeholder import opener, substitute
from tests.conformance.subject import KEY
from tests.stack.rendered import ROOT, tree

_VARIANTS = ["", "features: {openbao: true}", "features: {nomad_workload_identity: false}", "previews: false"]
_FORM = re.compile(r"password|uuid|base64url-32|rsa|ssh|issued|public-of:([a-z-]+)")
_NO_PROGRAM = {"nomad-client-consul-token", "consul-bootstrap-token", "nomad-bootstrap-token", "gitea-admin"}
"""What a worker is given when it is set up, and what `bootstrap` keeps for itself and for the owner."""


def _declared() -> dict[str, str]:
    return dict(yaml.safe_load((ROOT / "repo-template/secrets.yaml").read_text()))


def _referred(files: Files) -> set[str]:
    found = set()
    open_ = opener(KEY)

    def note(body: str, digest: str) -> str:
        found.add(open_(body, digest).reference)
        return ""

    for content in files.values():
        substitute(content, note, note)
    return found


def _names() -> set[str]:
    names = set()
    for variant in _VARIANTS:
        files = tree(overlay=variant)
        names |= {reference.removeprefix("file:") for reference in _referred(files) if reference.startswith("file:")}
        names |= set(re.findall(r"/agent-state/secrets/([a-z-]+)", files["agent/agent.toml"].decode()))
    return names


def test_every_secret_is_declared_and_used() -> None:
    assert _names() | _NO_PROGRAM == set(_declared())


@pytest.mark.parametrize(("name", "form"), _declared().items())
def test_every_form_is_known(name: str, form: str) -> None:
    known = _FORM.fullmatch(form)
    assert known
    assert not known[1] or known[1] in _declared()


def test_a_file_in_run_secrets_holds_the_secret_of_its_name() -> None:
    files = tree()
    for path in files:
        if path.startswith("compose/secrets/"):
            assert _referred({path: files[path]}) == {f"file:{PurePosixPath(path).name}"}
    in_compose = set(yaml.safe_load(files["compose/compose.yaml"])["secrets"])
    assert in_compose == {PurePosixPath(path).name for path in files if path.startswith("compose/secrets/")}


def test_no_secret_is_in_a_container_s_definition() -> None:
    """Whoever may ask Docker for a container sees its environment and command."""
    files = tree()
    assert _referred({"compose.yaml": files["compose/compose.yaml"], "agent.yaml": files["agent/compose.yaml"]}) == set()


def test_the_agent_unseals_vault_only_where_a_file_is_named() -> None:
    assert "unseal_keys_file" not in tree()["agent/agent.toml"].decode()
    keys = "/srv/mini-cloud/agent-state/vault-keys.json"
    assert f'unseal_keys_file = "{keys}"\n' in tree(overlay=f"unseal: {{keys_file: {keys}}}")["agent/agent.toml"].decode()
