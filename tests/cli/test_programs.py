"""`check --programs`: what the programs themselves say of a mini-cloud, where none of it runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture
def cloud(here: Cli, tmp_path: Path, binary: Callable[[str], str]) -> Path:
    """The mini-cloud as it is shipped."""
    for program in ("nginx", "promtool", "docker-compose"):
        binary(program)
    repo = tmp_path / "cloud"
    assert here("init", repo, "--domain", "example.org").status == 0
    return repo


def looked(here: Cli, repo: Path) -> dict[str, dict[str, str]]:
    """What was found, by target; exit status 1 where something is wrong."""
    ended = here("check", "--programs", "--json", repo)
    found = {finding["target"] or finding["file"]: finding for finding in json.loads(ended.out)}
    assert ended.status == int(any(finding["error"] for finding in found.values()))
    return found


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_mini_cloud_as_it_is_shipped(here: Cli, cloud: Path) -> None:
    """Certificates, secrets, names and the user of nginx are nowhere here; nobody needs them for this."""
    found = looked(here, cloud)
    assert not [finding["error"] for finding in found.values() if finding["error"]]
    assert {name: found[name]["looked"] for name in ("nginx", "prometheus", "compose", "consul-server", "pgadmin")} == {
        "nginx": "nginx",
        "prometheus": "promtool",
        "compose": "docker compose",
        "consul-server": "HCL",
        "pgadmin": "JSON",
    }
    assert found["promtail"]["left_out"] == "promtail is not here"
    assert "(left out: promtail is not here)" in here("check", "--programs", cloud).out


def test_each_mistake_is_said_with_its_place(here: Cli, cloud: Path) -> None:
    """None of them is seen by `check` alone."""
    change(cloud / "nginx/health.conf", "access_log off;", "acces_log off;")
    change(cloud / "prometheus/rules/services.yml", "expr: ", "expr: (")
    change(cloud / "compose/compose.yaml.j2", "restart: unless-stopped", "restrat: unless-stopped")
    change(cloud / "consul-server/ui.hcl", "}", "")
    (cloud / "values/more.txt").write_text("see ghp_" + "0123456789abcdefghijABCDEFGHIJ012345\n")  # not-a-secret
    assert here("check", cloud).status == 0
    found = looked(here, cloud)
    assert found["nginx"]["error"] == 'nginx/health.conf:4: unknown directive "acces_log"'
    assert found["prometheus"]["file"] == "prometheus/rules/services.yml"
    assert "restrat" in found["compose"]["error"]
    assert found["consul-server"]["error"].startswith("consul-server/ui.hcl:")
    assert found["values/more.txt"]["error"].startswith("values/more.txt:1: looks like")


def test_a_name_that_is_known_elsewhere_only_hides_no_mistake(here: Cli, tmp_path: Path, binary: Callable[[str], str]) -> None:
    """Nginx looks up names while it reads, and would say no more."""
    binary("nginx")
    repo = tmp_path / "small"
    (repo / "nginx").mkdir(parents=True)
    server = "server { listen 80; location / { proxy_pass http://gitea:3000; } }"
    text = f"events {{}}\nhttp {{\n  upstream a {{ server backend.invalid:80; }}\n  {server}\n}}\n"
    conf = repo / "nginx/nginx.conf"
    conf.write_text(text)
    assert looked(here, repo)["nginx"]["looked"] == "nginx"
    conf.write_text(text.replace("3000;", "3000; proxy_buffers 4;"))
    assert looked(here, repo)["nginx"]["error"] == 'nginx/nginx.conf:4: invalid number of arguments in "proxy_buffers" directive'
    conf.write_text(text.replace("listen 80", "listen 192.0.2.1:80"))
    assert "bind() to 192.0.2.1:20080 failed" in looked(here, repo)["nginx"]["left_out"]


def test_the_user_that_nginx_was_built_for_need_not_be_here(
    here: Cli, cloud: Path, binary: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The official nginx runs as `nginx` unless told otherwise, and asks for that user where root starts it, also with -t."""
    users = [line for line in Path("/etc/passwd").read_text().splitlines(keepends=True) if line.startswith("root:")]
    (tmp_path / "passwd").write_text("".join(users))
    (tmp_path / "bin").mkdir()
    program = f'mount --bind {tmp_path}/passwd /etc/passwd && exec {binary("nginx")} "$@"'
    start = f"unshare --mount sh -c '{program}' nginx" if os.geteuid() == 0 else binary("nginx")
    (tmp_path / "bin/nginx").write_text(f'#!/bin/sh\nexec {start} "$@"\n')
    (tmp_path / "bin/nginx").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    found = looked(here, cloud)["nginx"]
    assert (found["looked"], found["error"], found["left_out"]) == ("nginx", "", "")


def test_a_file_that_says_it_holds_none_is_left_alone(here: Cli, tmp_path: Path) -> None:
    repo = tmp_path / "small"
    (repo / "files").mkdir(parents=True)
    (repo / "files/a").write_text("password = hunter2hunter2\n")  # not-a-secret
    assert looked(here, repo)["files/a"]["line"] == 1
    (repo / ".gitattributes").write_text("files/a not-a-secret\n")
    assert "files/a" not in looked(here, repo)
