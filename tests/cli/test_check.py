"""`init`, `check` and `render`: what an author can know before a push."""

from __future__ import annotations

import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_agent.concourse import packed
from gitops_agent.model import CHANGED, PACKED
from tests.cli.conftest import Cli


def git(repo: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True)


def test_the_template_passes_its_own_check(here: Cli, repo: Path) -> None:
    ended = here("check", repo)
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.splitlines() == ["✓ default/consul  1 resource", "✓ default/nginx  3 resources"]


@pytest.mark.server
def test_nginx_takes_the_template(here: Cli, repo: Path, tmp_path: Path, binary: Callable[[str], str]) -> None:
    out = tmp_path / "out"
    values = repo / "values/common.yaml"
    values.write_text(values.read_text().replace("/srv/nginx", str(out)))
    assert here("render", repo, "--only", "nginx/*", "--output", out / "all").status == 0
    (out / "all/nginx").rename(out / "current")
    command = [binary("nginx"), "-t", "-p", out, "-e", "stderr", "-c", out / "current/nginx.conf"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_init_refuses_a_directory_in_use(here: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = here("init", tmp_path)
    assert (ended.status, ended.err) == (2, f"error: {tmp_path} is not empty\n")


def test_names_file_line_and_variable(here: Cli, repo: Path) -> None:
    (repo / "nginx/sites/default.conf.j2").write_text("server {\n    listen {{ nginx.listn }};\n}\n")
    ended = here("check", repo)
    assert ended.status == 1
    assert "nginx/sites/default.conf.j2:2: 'listn' is undefined; did you mean 'listen'?" in ended.out


def test_shows_the_mistakes_of_all_targets(here: Cli, repo: Path) -> None:
    (repo / "consul/kv.yaml.j2").write_text("list: [1]\n")
    (repo / "consul-more").mkdir()
    (repo / "consul-more/kv.yaml").write_text("a: 1\na: 2\n")
    ended = here("check", repo, "--json")
    findings = {finding["target"]: finding for finding in json.loads(ended.out)}
    assert ended.status == 1
    assert (findings["consul"]["file"], findings["consul"]["line"]) == ("consul/kv.yaml", 1)
    assert (findings["consul-more"]["kind"], findings["consul-more"]["line"]) == ("consul", 2)
    assert findings["nginx"]["error"] == ""


def test_looks_at_every_environment_that_has_values(here: Cli, repo: Path) -> None:
    (repo / "values/live.yaml").write_text("motd: live\n")
    (repo / "values/test.yaml").write_text("motd: [1, 2]\n")
    assert {finding["environment"] for finding in json.loads(here("check", repo, "--json").out)} == {"live", "test"}
    assert {finding["environment"] for finding in json.loads(here("check", repo, "-e", "live", "--json").out)} == {"live"}


def test_a_folder_without_kind_is_files(here: Cli, repo: Path) -> None:
    (repo / "Grafana.d").mkdir()
    (repo / "Grafana.d/a.ini").write_text("[a]\n")
    found = json.loads(here("check", repo, "--json").out)
    assert [finding["target"] for finding in found if finding["kind"] == "files"] == ["grafana-d"]


def test_agent_toml_may_say_otherwise(here: Cli, repo: Path, tmp_path: Path) -> None:
    (repo / "keys").mkdir()
    (repo / "keys/kv.yaml").write_text("a: [1]\n")
    toml = tmp_path / "agent.toml"
    toml.write_text('[environments.one]\nsource = "/repo"\n[[environments.one.targets]]\nkind = "consul"\nname = "keys"\n')
    found = json.loads(here("check", repo, "--config", toml, "--json").out)
    assert [(finding["environment"], finding["kind"], finding["line"]) for finding in found] == [("one", "consul", 1)]


def test_sees_what_a_commit_would_hold(here: Cli, repo: Path) -> None:
    """Ignored files are not there, tracked ones are even where they are ignored, and the index is left alone."""
    git(repo, "init", "-b", "main")
    (repo / "nginx/tracked.key").write_text("")
    git(repo, "add", "--force", "nginx/tracked.key")
    (repo / "nginx/ignored.key").write_text("")
    (repo / "nginx/new.conf").write_text("")
    (repo / "nginx/gone.conf").write_text("")
    git(repo, "add", "nginx/gone.conf")
    (repo / "nginx/gone.conf").unlink()
    before = (repo / ".git/index").read_bytes()
    rendered = json.loads(here("render", repo, "--only", "nginx/*", "--json").out)
    assert set(rendered) == {
        "nginx/" + name for name in ("nginx.conf", "new.conf", "pages/index.html", "sites/default.conf", "tracked.key")
    }
    assert (repo / ".git/index").read_bytes() == before


@pytest.mark.parametrize("in_git", [True, False])
def test_refuses_what_the_agent_refuses(here: Cli, repo: Path, in_git: bool) -> None:
    """Failure mode: a link that leads out of the tree."""
    if in_git:
        git(repo, "init", "-b", "main")
    (repo / "nginx/passwd").symlink_to("/etc/passwd")
    ended = here("check", repo)
    assert ended.status == 1
    assert "nginx/passwd: is a symbolic link" in ended.out + ended.err


def test_works_from_within_a_hook(cli: Cli, repo: Path) -> None:
    """A hook is handed GIT_DIR and GIT_INDEX_FILE by git; neither may be written to."""
    git(repo, "init", "-b", "main")
    git(repo, "add", ".")
    before = (repo / ".git/index").read_bytes()
    ended = cli("check", cwd=repo, env={"GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index", "GIT_PREFIX": ""})
    assert (ended.status, ended.err) == (0, "")
    assert (repo / ".git/index").read_bytes() == before
    assert not list((repo / ".git").glob("refs/heads/*"))


def test_an_empty_directory_has_nothing_to_check(here: Cli, tmp_path: Path) -> None:
    assert here("check", tmp_path).out == "nothing to check: there is no folder with files\n"


def test_no_directory(cli: Cli, tmp_path: Path) -> None:
    ended = cli("check", tmp_path / "nowhere")
    assert (ended.status, ended.err) == (2, f"error: {tmp_path}/nowhere is no directory\n")


def test_render_shows_no_secret_and_no_reference(here: Cli, repo: Path) -> None:
    (repo / "nginx/key.pem.j2").write_text('{{ secret("file:key") }}\n')
    ended = here("render", repo, "--only", "nginx/key.pem")
    assert ended.out == "==> nginx/key.pem <==\n(sensitive)\n\n"


def test_render_needs_one_environment(here: Cli, repo: Path) -> None:
    for name in ("live", "test"):
        (repo / f"values/{name}.yaml").write_text(f"motd: {name}\n")
    ended = here("render", repo)
    assert (ended.status, ended.err) == (2, "error: name the environment; there are live, test\n")
    assert "<p>live</p>" in here("render", repo, "-e", "live").out


def test_render_writes_only_to_an_empty_directory(here: Cli, repo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (repo / "nginx/raw.bin").write_bytes(b"\xff\x00")
    assert here("render", repo, "-o", out).status == 0
    assert (out / "nginx/raw.bin").read_bytes() == b"\xff\x00"
    assert here("render", repo, "-o", out).status == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user(here: Cli, repo: Path) -> None:
    """CI checks out as one user and checks as another; git's own refusal must not make ignored files appear."""
    git(repo, "init", "-b", "main")
    (repo / "nginx/ignored.key").write_text("")
    for path in (repo, *repo.rglob("*")):
        os.chown(path, 65534, 65534)
    assert "nginx/ignored.key" not in json.loads(here("render", repo, "--json").out)


def test_changed_only_looks_at_what_the_change_reaches(here: Cli, repo: Path) -> None:
    (repo / "consul/kv.yaml.j2").write_text("list: [1]\n")
    ended = here("check", repo, "--changed-only", env={CHANGED: "nginx/nginx.conf\nnginx/gone"})
    assert ended.status == 0
    assert ended.out.splitlines() == ["not reached by what changed, and not looked at: consul", "✓ default/nginx  3 resources"]
    assert here("check", repo, env={CHANGED: "nginx/nginx.conf"}).status == 1, "only where that is asked for"
    assert here("check", repo, "--changed-only", env={CHANGED: ""}).status == 1, "and somebody said what changed"
    assert here("check", repo, "--changed-only", env={CHANGED: "values/common.yaml"}).status == 1


def test_changed_only_of_a_mini_cloud_knows_its_settings(here: Cli, tmp_path: Path) -> None:
    """Its agent.toml names the folders of targets, and is rendered for that; two of them are below one folder."""
    repo = tmp_path / "cloud"
    assert here("init", repo, "--domain", "example.org").status == 0
    ended = here("check", repo, "--changed-only", "--json", env={CHANGED: "prometheus/prometheus.yml.j2"})
    assert [finding["target"] for finding in json.loads(ended.out)] == ["prometheus"]
    (repo / "prometheus/prometheus.yml.j2").unlink()
    ended = here("check", repo, "--changed-only", "--json", env={CHANGED: "prometheus/prometheus.yml.j2"})
    assert ended.status == 1
    ended = here("check", repo, "--changed-only", "--json", env={CHANGED: "README.md"})
    assert len(json.loads(ended.out)) > 10


def test_changed_only_is_a_part_of_the_whole(here: Cli, tmp_path: Path) -> None:
    """What it says of a target is what the whole check says of it."""
    repo = tmp_path / "cloud"
    assert here("init", repo, "--domain", "example.org").status == 0
    whole = {finding["target"]: finding for finding in json.loads(here("check", repo, "--json").out)}
    for folder in ("nginx", "compose", "certificates", "grafana"):
        said = json.loads(here("check", repo, "--changed-only", "--json", env={CHANGED: f"{folder}/new"}).out)
        assert said == [whole[folder]]


def test_packed_says_what_is_said_of_the_files(here: Cli, tmp_path: Path) -> None:
    repo = tmp_path / "cloud"
    assert here("init", repo, "--domain", "example.org").status == 0
    (repo / "pages").mkdir()
    (repo / "pages/broken.j2").write_text("{{ no.such }}")
    (repo / "pages/plain").write_text("password = hunter2hunter2\n")  # not-a-secret
    files = {str(path.relative_to(repo)): path.read_bytes() for path in repo.rglob("*") if path.is_file()}
    for attributes in ("", "pages/plain not-a-secret\n"):
        (repo / ".gitattributes").write_text(attributes)
        sent = b64encode(packed({**files, ".gitattributes": attributes.encode()})).decode()
        whole = here("check", repo, "--programs", "--packed", env={PACKED: ""})  # where nothing was sent, they lie there
        assert here("check", "--programs", "--packed", env={PACKED: sent}) == whole
        assert ("pages/plain:1: looks like" in whole.out) == (not attributes)
        assert "pages/broken.j2:1: 'no' is undefined" in whole.out


@pytest.mark.parametrize(
    ("sent", "why"), [("H4sI", "Compressed file ended"), ("none", "not a gzip file"), ("an archive", "Only base64 data")]
)
def test_what_was_sent_and_is_no_archive_is_refused(here: Cli, tmp_path: Path, sent: str, why: str) -> None:
    ended = here("check", tmp_path, "--packed", env={PACKED: sent})
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith(f"error: $GITOPS_AGENT_PACKED cannot be read: {why}")
    assert here("check", tmp_path, env={PACKED: sent}).status == 0, "only where that is asked for"


def test_a_name_that_leads_elsewhere_is_refused(here: Cli, tmp_path: Path) -> None:
    sent = b64encode(packed({"../elsewhere": b""})).decode()
    ended = here("check", tmp_path, "--packed", env={PACKED: sent})
    assert ended.status == 2
    assert "$GITOPS_AGENT_PACKED cannot be read: '..' would be extracted to" in ended.err
