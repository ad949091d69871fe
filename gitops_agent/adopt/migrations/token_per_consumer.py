"""`token-per-consumer`: one Consul token that all share becomes one for each, with a policy that lets it do its work and no more.

One step each time it is asked for, each a commit and a run of its own: first all new tokens are issued, then one consumer after the
other is given its own; when none is left the old one may go. Between any two steps everything works.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import ClassVar

import yaml

from gitops_agent.adopt.migrations.compose_text import ComposeText, entries
from gitops_agent.adopt.migrations.migration import ConfigRepo, Migration, Proposal
from gitops_agent.adopt.programs import program_of
from gitops_agent.adopt.templates import reference
from gitops_agent.api import Api
from gitops_agent.secret.files import read_secret

_REFERENCE = re.compile(r"""secret\(\s*["']file:(?P<name>[\w.-]+)["']""")
_VARIABLE = re.compile(r"^(?P<name>[A-Za-z_]\w*)=\{\{ secret\(\"file:(?P<secret>[\w.-]+)\"\) \}\}\s*$", re.MULTILINE)
_TOKENS = "tokens.yaml"
_READS_SERVICES = 'service_prefix "" {\n  policy = "read"\n}\nnode_prefix "" {\n  policy = "read"\n}\n'
_READS_AGENTS = 'agent_prefix "" {\n  policy = "read"\n}\n'
_WRITES_SERVICES = 'node_prefix "" {\n  policy = "read"\n}\nservice_prefix "" {\n  policy = "write"\n}\n'
_STORES = """\
key_prefix "vault/" {
  policy = "write"
}
service "vault" {
  policy = "write"
}
session_prefix "" {
  policy = "write"
}
"""
_POLICIES: Mapping[str, str] = {
    "prometheus": _READS_AGENTS,
    "consul-template": _READS_SERVICES,
    "nomad": _READS_AGENTS + _WRITES_SERVICES,
    "vault": _READS_AGENTS + _STORES,
}
"""What each program needs of Consul; of others nobody knows, and a person has to write it."""


class TokenPerConsumer(Migration):
    name: ClassVar = "token-per-consumer"
    summary: ClassVar = "a Consul token and policy for each program instead of one that all share"

    def propose(self, repo: ConfigRepo) -> Proposal:
        made = Proposal()
        shared = _shared(repo)
        if not shared:
            return made
        home = next((target for target in repo.targets("consul") if "token:*" in getattr(target, "only", ())), None)
        if home is None:
            made.not_done.append("no target of kind consul owns tokens: adopt with --consul-token, or declare one")
            return made
        consumers = dict(_consumers(repo, shared))
        if not consumers:
            made.not_done.append(f"no program has file:{shared} any more: take it out of .env, and revoke it in Consul")
            return made
        issued = _declared(repo, home.folder)
        rules = {name: _rules(repo, name) for name in consumers if name not in issued}
        for name in (name for name, text in rules.items() if not text):
            what = f"{home.folder}/policies/{name}.hcl, and its token in {_TOKENS}"
            made.not_done.append(f"{name}: nobody but you knows what it needs: write {what}")
        if missing := {name: text for name, text in rules.items() if text}:
            self._issue(repo, home.folder, missing, made)
        elif ready := next((name for name in consumers if name in issued), ""):
            if _is_accepted(repo, str(getattr(home, "address", "")), ready):
                self._switch(repo, ready, consumers[ready], shared, made)
            else:
                made.not_done.append(f"{ready}: Consul does not know its token yet: commit what was issued, and let it be applied")
        return made

    def _issue(self, repo: ConfigRepo, folder: str, rules: Mapping[str, str], made: Proposal) -> None:
        path = repo.file(f"{folder}/{_TOKENS}")
        text = repo.text(path) if path else ""
        if path == f"{folder}/{_TOKENS}":
            made.removed.append(path)  # with references in it, it is a template now
        for name, rule in rules.items():
            made.edits[f"{folder}/policies/{name}.hcl"] = rule
            made.secrets[_secret(name)] = str(uuid.uuid4())
            text += f'{name}: {{"policies": ["{name}"], "secret_id": "{reference(_secret(name))}"}}\n'
            made.steps.append(f"{name}: a policy, and a token whose secret is file:{_secret(name)}")
        made.edits[f"{folder}/{_TOKENS}.j2"] = text
        made.effects.append(f"makes {len(rules)} policies and tokens in Consul, and restarts nothing; then ask for the next step")

    def _switch(self, repo: ConfigRepo, name: str, places: list[str], shared: str, made: Proposal) -> None:
        for path in places:
            compose = repo.compose().get(path)
            if compose is None:
                made.edits[path] = repo.text(path).replace(f"file:{shared}", f"file:{_secret(name)}")
                continue
            variables = _variables(repo, path, shared)
            service = next(node for service, node in compose.services() if service == name)
            for node in _mentions(compose, service, shared, variables):
                written = compose.written(node)
                variable = f"{name.upper().replace('-', '_')}_CONSUL_TOKEN"
                for old in variables:
                    written = re.sub(rf"\$\{{{old}\}}|\${old}\b", f"${{{variable}}}", written)
                compose.replace(node, written.replace(f"file:{shared}", f"file:{_secret(name)}"))
                if variable in written:
                    env = f"{path.partition('/')[0]}/.env.j2"
                    made.edits[env] = f"{repo.text(env).rstrip()}\n{variable}={reference(_secret(name))}\n"
            made.edits[path] = compose.changed()
        made.steps.append(f"{name}: has its own token in {', '.join(places)}")
        made.effects.append(
            f"gives {name} its own token: its container is made anew, or its files loaded; see that it works, then go on"
        )


def _rules(repo: ConfigRepo, service: str) -> str:
    """Empty where nobody knows what it needs."""
    program = program_of(repo.running[service]) if service in repo.running else None
    return _POLICIES.get(program.name, "") if program else ""


def _is_accepted(repo: ConfigRepo, address: str, name: str) -> bool:
    token = read_secret(repo.secrets / _secret(name))
    with closing(Api("consul", address, headers={"X-Consul-Token": token})) as api:
        return api.call("GET", "/v1/acl/token/self", accept=(403, 404)).status == 200


def _secret(name: str) -> str:
    return f"{name}-consul-token"


def _shared(repo: ConfigRepo) -> str:
    """Name of the secret that most consumers call a token of Consul; empty where no two share one."""
    counted = Counter(
        found["name"]
        for path in _templates(repo)
        for found in _REFERENCE.finditer(repo.text(path))
        if "consul" in found["name"] and "token" in found["name"]
    )
    name, number = counted.most_common(1)[0] if counted else ("", 0)
    return name if number > 1 else ""


def _templates(repo: ConfigRepo) -> Iterator[str]:
    for path in sorted(repo.path.glob("*/**/*.j2")):
        yield str(path.relative_to(repo.path))


def _consumers(repo: ConfigRepo, shared: str) -> Iterator[tuple[str, list[str]]]:
    """Services with the files in which they have the shared token. Consul's own say what the token is: it is no consumer."""
    places: dict[str, list[str]] = {}
    composed = repo.compose()
    for path, compose in composed.items():
        variables = _variables(repo, path, shared)
        for service, node in compose.services():
            if any(_mentions(compose, node, shared, variables)):
                places.setdefault(service, []).append(path)
    for path in _templates(repo):
        folder = path.partition("/")[0]
        service = next((name for name in (folder, folder.removesuffix("-server")) if name in repo.running), "")
        if path not in composed and service and f"file:{shared}" in repo.text(path):
            places.setdefault(service, []).append(path)
    yield from ((name, paths) for name, paths in places.items() if name != "consul")


def _variables(repo: ConfigRepo, path: str, shared: str) -> list[str]:
    """Of `.env` beside the Compose file that hold the shared token."""
    env = f"{path.partition('/')[0]}/.env.j2"
    text = repo.text(env) if (repo.path / env).is_file() else ""
    return [found["name"] for found in _VARIABLE.finditer(text) if found["secret"] == shared]


def _mentions(compose: ComposeText, service: yaml.MappingNode, shared: str, variables: list[str]) -> Iterator[yaml.Node]:
    """Values of its environment that hold the token."""
    wanted = re.compile("|".join([re.escape(f"file:{shared}"), *(rf"\$\{{{name}\}}|\${name}\b" for name in variables)]))
    for name, node in entries(service):
        if name == "environment":
            listed = node.value if isinstance(node, yaml.SequenceNode) else [value for _, value in entries(node)]
            yield from (value for value in listed if wanted.search(compose.written(value)))


def _declared(repo: ConfigRepo, folder: str) -> set[str]:
    path = repo.file(f"{folder}/{_TOKENS}")
    return set(re.findall(r"(?m)^([\w.-]+):", repo.text(path))) if path else set()
