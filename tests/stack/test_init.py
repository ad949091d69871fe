"""`gitops-agent init` writes a repository that can be pushed as it is, from a checkout and from a wheel; and editors can check its
values."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from tests.cli.conftest import Cli, cli, here  # noqa: F401 -- fixtures
from tests.stack.rendered import ROOT

_VALUES = ROOT / "repo-template/values"


@pytest.fixture
def repo(tmp_path: Path, here: Cli) -> Path:  # noqa: F811
    assert here("init", tmp_path / "repo", "--domain", "mini.test").status == 0
    return tmp_path / "repo"


def test_passes_check_as_a_first_commit(repo: Path, here: Cli) -> None:  # noqa: F811
    for command in (["init", "--quiet", "-b", "main"], ["add", "."]):
        subprocess.run(["git", "-C", repo, *command], check=True)
    ended = here("check", repo)
    assert ended.status == 0, ended.out
    told = [line.split()[1] for line in ended.out.splitlines()]
    agent = tomllib.loads(here("render", repo, "--only", "agent/agent.toml").out.partition("\n")[2])
    assert told == [f"mini-cloud/{target['name']}" for target in agent["environments"]["mini-cloud"]["targets"]]


def test_every_folder_is_a_target_of_agent_toml(repo: Path, here: Cli) -> None:  # noqa: F811
    ended = here("check", repo)
    checked = {line.split("/")[1].split()[0] for line in ended.out.splitlines()}
    folders = {path.name for path in repo.iterdir() if path.is_dir()}
    assert folders - checked == {"agent", "ci", "host", "values", "worker"}


def test_hostnames_are_below_the_domain(repo: Path, here: Cli) -> None:  # noqa: F811
    rendered = here("render", repo, "--only", "certificates/*").out
    assert "git.mini.test" in rendered
    assert "example.test" not in rendered


@pytest.mark.parametrize("domain", ["", "no domain", "https://a.test", "a", "-a.test", "a.test/b"])
def test_what_is_no_domain_is_refused(domain: str, tmp_path: Path, here: Cli) -> None:  # noqa: F811
    ended = here("init", tmp_path / "repo", f"--domain={domain}")
    assert (ended.status != 0) == bool(domain)


def test_a_mistake_in_the_agent_s_settings_is_found(repo: Path, here: Cli) -> None:  # noqa: F811
    settings = repo / "agent/agent.toml.j2"
    settings.write_text(settings.read_text().replace('kind = "postgres"', 'kind = "postgers"'))
    ended = here("check", repo)
    assert ended.status == 1
    assert "'postgers' is no kind; did you mean 'postgres'?" in ended.out


def _complaints(values: dict[str, Any]) -> list[str]:
    schema = json.loads((_VALUES / "schema.json").read_text())
    return [str(error.instance_path) for error in jsonschema_rs.validator_for(schema).iter_errors(values)]


def test_the_schema_takes_the_values_and_knows_each_of_them() -> None:
    values = yaml.safe_load((_VALUES / "common.yaml").read_text())
    schema = json.loads((_VALUES / "schema.json").read_text())
    assert _complaints(values) == []
    assert set(values) == set(schema["properties"])
    for file in ("common.yaml", "mini-cloud.yaml"):
        assert (_VALUES / file).read_text().startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize(
    "wrong",
    [
        {"domian": "a.test"},
        {"domain": "https://a.test"},
        {"root": "relative"},
        {"publish": {"https": 70000}},
        {"images": {"nginx": "nginx"}},
        {"hostnames": [{"name": "a"}]},
        {"hostnames": [{"name": "a", "service": "b", "port": 1, "consul": "c"}]},
        {"hostnames": [{"name": "a", "consul": "c", "bodi": "1m"}]},
        {"owner": {"name": "admin"}},
        {"limits": {"nginx": {"memory": "1g"}}},
    ],
)
def test_the_schema_finds_mistakes(wrong: dict[str, Any]) -> None:
    assert _complaints(wrong)
