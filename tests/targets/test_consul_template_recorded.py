"""What consul-template said of good and bad files, recorded from the real one, and what becomes of it for the author.

Recorded anew where CONSUL_TEMPLATE_BIN names one and CONSUL_TEMPLATE_RECORD is set.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.model import Files
from gitops_agent.target import Site, Target
from tests.conformance.converge import plan
from tests.conformance.subject import KEY, build
from tests.conftest import ROOT

RECORDED = sorted((ROOT / "tests/recorded").glob("consul-template-*"))
TEMPLATE = b'{{ range service "web" }}server {{ .Address }}:{{ .Port }};{{ end }}\n'
CONFIG = """pid_file = "/run/consul-template.pid"
template {
  source      = "DIRECTORY/a.tpl"
  destination = "/srv/nginx/upstreams/web.conf"
}
"""
SAYS = {
    "good": "",
    "unknown-function": 'a.tpl:2: function "foo" not defined',
    "cut-off": "a.tpl:1: unclosed action",
    "no-such-template": "consul-template.hcl: failed to read template: open a.tpl: no such file or directory",
    "unknown-field": "consul-template.hcl: mapstructure decode failed: 1 error(s) decoding: "
    "* 'template[0]' has invalid keys: sorce",
    "unclosed": "consul-template.hcl: error decoding config: At 2:2: object expected closing RBRACE got: EOF",
}


def files(case: str, live: Path) -> Files:
    config = CONFIG.replace("DIRECTORY", str(live))
    config = {"unknown-field": config.replace("source ", "sorce "), "unclosed": "template {\n"}.get(case, config)
    template = {"unknown-function": b"first\n{{ foo }}\n", "cut-off": b"{{ key"}.get(case, TEMPLATE)
    found = {"consul-template.hcl": config.encode(), "a.tpl": template, "b.md": b"never parsed\n"}
    if case == "no-such-template":
        del found["a.tpl"]
    return found


def target(directory: Path, check: list[str]) -> Target:
    settings = {"directory": f"{directory}/published", "check": check, "pid": f"{directory}/pid"}
    return build("consul-template", settings, Site("recorded", directory, KEY))


def verdict(asked: Target, directory: Path, case: str) -> str:
    try:
        plan(asked, files(case, directory / "published/current"))
    except InvalidRevision as error:
        return str(error)
    return ""


@pytest.mark.parametrize("case", SAYS)
@pytest.mark.parametrize("recordings", RECORDED, ids=lambda path: path.name)
def test_the_author_is_told(recordings: Path, case: str, tmp_path: Path) -> None:
    head, _, said = (recordings / f"{case}.txt").read_text().partition("\n")
    status = re.search(r"exit status (\d+)$", head)
    assert status, head
    (tmp_path / "said").write_text(said)
    script = f'sed "s#DIRECTORY#$1#g" {tmp_path}/said >&2; exit {status[1]}'
    assert verdict(target(tmp_path, ["sh", "-c", script, "check", "{staged}"]), tmp_path, case) == SAYS[case]


def test_there_are_recordings() -> None:
    assert [path.name for path in RECORDED] == ["consul-template-0.42.1"]
    assert {path.stem for path in RECORDED[0].iterdir()} == set(SAYS)


@pytest.mark.live
@pytest.mark.skipif("CONSUL_TEMPLATE_BIN" not in os.environ, reason="CONSUL_TEMPLATE_BIN names no consul-template")
@pytest.mark.parametrize("case", SAYS)
def test_the_real_one_says_it(case: str, tmp_path: Path) -> None:
    binary, heard = os.environ["CONSUL_TEMPLATE_BIN"], tmp_path / "heard"
    command = f'{binary} -config "$1/$2" -parse-only -dry -pid-file "$1.pid" 2>{heard}; status=$?; cat {heard} >&2; '
    command += f'sed -i "s#$1#DIRECTORY#g" {heard}; echo "exit status $status" | cat - {heard} >{heard}.all; exit $status'
    assert verdict(target(tmp_path, ["sh", "-c", command, "check", "{staged}", "{config}"]), tmp_path, case) == SAYS[case]
    if "CONSUL_TEMPLATE_RECORD" in os.environ:
        told = subprocess.run([binary, "-version"], capture_output=True, text=True, check=True)
        version = (told.stdout + told.stderr).split()[1].removeprefix("v")
        directory = ROOT / f"tests/recorded/consul-template-{version}"
        directory.mkdir(exist_ok=True)
        (directory / f"{case}.txt").write_text(f"consul-template {version}, {Path(f'{heard}.all').read_text()}")
