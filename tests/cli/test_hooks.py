"""`gitops-agent hooks` with real git: what is refused, what passes, and whose hook stays in force."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitops_agent.cli.hooks.leaks import find
from tests.cli.conftest import Cli, Ended
from tests.gitserver import git

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


class Author:
    """Works in a clone whose hooks find the program that is tested."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone

    def git(self, *arguments: str) -> Ended:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["git", "-C", self.clone, *arguments], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.clone / name.replace("__", "/")).write_text(text)

    def stage(self, name: str, text: str) -> None:
        file = self.clone / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        assert self.git("add", name).status == 0

    def commit(self, *options: str) -> Ended:
        return self.git("commit", "--quiet", "--message", "change", *options)

    @property
    def head(self) -> str:
        return git("rev-parse", "HEAD", at=self.clone)


@pytest.fixture
def author(repo: Path, tmp_path: Path, here: Cli) -> Author:
    """Has committed and pushed what `init --small` wrote, and then installed the hooks."""
    author = Author(repo)
    remote = tmp_path / "remote.git"
    for command in (
        ("init", "--quiet", "--initial-branch=main"),
        ("init", "--quiet", "--bare", "--initial-branch=main", str(remote)),
        ("remote", "add", "origin", str(remote)),
        ("add", "."),
        ("commit", "--quiet", "--message=begin"),
        ("push", "--quiet", "origin", "main"),
    ):
        assert author.git(*command).status == 0
    ended = here("hooks", "install", repo)
    assert ended.status == 0, ended.err
    return author


def test_a_fine_commit_and_its_push_pass(author: Author) -> None:
    author.stage("pages/index.html", "hello\n")
    assert author.commit() == Ended(0, "", "")
    assert author.git("push", "--quiet", "origin", "main").status == 0


def test_what_is_staged_counts_not_the_work_tree(author: Author) -> None:
    before = author.head
    author.stage("nginx/broken.conf.j2", "{{ nowhere }}\n")
    author.write(nginx__broken="", **{"nginx__broken.conf.j2": "mended, and not staged\n"})
    refused = author.commit()
    assert refused.status == 1
    assert "does not pass `gitops-agent check`" in refused.err
    assert "nginx/broken.conf.j2:1" in refused.err
    assert author.head == before
    author.git("add", "nginx/broken.conf.j2")
    author.write(**{"nginx__broken.conf.j2": "{{ nowhere }}\n"})
    assert author.commit().status == 0, "what is wrong is not staged"


def test_a_commit_of_single_paths_is_judged_as_git_will_make_it(author: Author) -> None:
    author.stage("nginx/broken.conf.j2", "{{ nowhere }}\n")
    author.stage("pages/index.html", "hello\n")
    assert author.commit("--only", "pages/index.html").status == 0
    assert author.commit().status == 1


def test_a_secret_is_refused_with_its_place_and_never_shown(author: Author) -> None:
    author.stage("consul/new/values.yaml", "first: 1\npassword: hunter2hunter\n")
    refused = author.commit()
    assert refused.status == 1
    assert "consul/new/values.yaml:2: looks like a password or token in the open" in refused.err
    assert "not-a-secret" in refused.err
    assert "hunter2" not in refused.err + refused.out


def test_a_line_or_a_file_may_be_said_to_hold_none(author: Author) -> None:
    author.stage("pages/example.txt", f"token: {UUID}\n")
    assert author.commit().status == 1
    author.stage("pages/example.txt", f"token: {UUID} # not-a-secret\n")
    assert author.commit().status == 0
    author.stage("pages/example.asc", f"{KEY}\n")
    assert author.commit().status == 1
    author.stage(".gitattributes", "pages/*.asc not-a-secret\n")
    assert author.commit().status == 0


def test_a_push_is_refused_for_a_secret_that_a_later_commit_took_away(author: Author) -> None:
    author.stage("pages/example.txt", f"{KEY}\n")
    assert author.commit("--no-verify").status == 0
    with_key = author.head
    author.stage("pages/example.txt", "nothing\n")
    assert author.commit().status == 0
    refused = author.git("push", "origin", "main")
    assert refused.status == 1
    assert f"{with_key[:8]} pages/example.txt:1: looks like a private key" in refused.err
    assert git("rev-parse", "origin/main", at=author.clone) != author.head
    assert author.git("push", "--no-verify", "--quiet", "origin", "main").status == 0
    author.stage("pages/index.html", "hello\n")
    assert author.commit().status == 0
    assert author.git("push", "--quiet", "origin", "main").status == 0, "what is there already is not looked at again"


def test_a_push_is_refused_for_what_does_not_pass_check(author: Author) -> None:
    author.stage("nginx/broken.conf.j2", "{{ nowhere }}\n")
    assert author.commit("--no-verify").status == 0
    (author.clone / "nginx/broken.conf.j2").write_text("mended, and not committed\n")
    refused = author.git("push", "origin", "main", "main:second")
    assert refused.status == 1
    assert refused.err.count("nginx/broken.conf.j2:1") == 2, "both branches are judged"


def test_a_merge_that_brings_a_secret_in_is_refused(author: Author) -> None:
    author.git("switch", "--quiet", "--create", "side")
    author.stage("pages/side.html", "side\n")
    assert author.commit().status == 0
    author.git("switch", "--quiet", "main")
    author.stage("pages/index.html", "hello\n")
    assert author.commit().status == 0
    author.git("merge", "--quiet", "--no-commit", "--no-ff", "side")
    author.stage("pages/evil.txt", f"first\n{KEY}\n")
    assert author.commit("--no-verify").status == 0
    refused = author.git("push", "origin", "main")
    assert refused.status == 1
    assert f"{author.head[:8]} pages/evil.txt:2: looks like a private key" in refused.err


def test_deleting_a_branch_passes(author: Author) -> None:
    assert author.git("push", "--quiet", "origin", "main:second").status == 0
    assert author.git("push", "--quiet", "origin", ":second").status == 0


def test_a_hook_that_was_there_is_asked_first_and_comes_back(author: Author, here: Cli) -> None:
    hook = author.clone / ".git/hooks/pre-commit"
    assert here("hooks", "remove", author.clone).status == 0
    assert not hook.exists()
    theirs = "#!/bin/sh\necho theirs >&2\nexit 7\n"
    hook.write_text(theirs)
    hook.chmod(0o755)
    for _ in range(2):  # installing twice changes nothing
        assert here("hooks", "install", author.clone).status == 0
    author.stage("pages/index.html", "hello\n")
    refused = author.commit()
    assert (refused.status, refused.err) == (1, "theirs\n")
    assert here("hooks", "remove", author.clone).status == 0
    assert hook.read_text() == theirs


def test_pre_push_hands_on_what_git_says(author: Author) -> None:
    before = author.clone / ".git/hooks/pre-push.before"
    before.write_text('#!/bin/sh\necho "$1 $(cut -d" " -f3)" >seen\n')
    before.chmod(0o755)
    author.stage("pages/index.html", "hello\n")
    assert author.commit().status == 0
    assert author.git("push", "--quiet", "origin", "main").status == 0
    assert (author.clone / "seen").read_text() == "origin refs/heads/main\n"


def test_the_repository_s_own_hooks_path_is_used(author: Author, here: Cli) -> None:
    author.git("config", "core.hooksPath", ".githooks")
    (author.clone / "pages").mkdir()
    assert here("hooks", "install", author.clone / "pages").status == 0
    assert (author.clone / ".githooks/pre-push").exists()
    assert not (author.clone / "pages/.githooks").exists()


def test_hooks_of_all_repositories_are_left_alone(author: Author, here: Cli, tmp_path: Path) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(f"[core]\n\thooksPath = {tmp_path}/everywhere\n")
    ended = here("hooks", "install", author.clone, env={"GIT_CONFIG_GLOBAL": str(config)})
    assert ended.status == 2
    assert "for all your repositories" in ended.err
    assert not (tmp_path / "everywhere").exists()


def test_a_bare_repository_gets_post_receive(tmp_path: Path, here: Cli) -> None:
    bare = tmp_path / "config.git"
    git("init", "--quiet", "--bare", str(bare), at=tmp_path)
    assert here("hooks", "install", bare).status == 0
    assert os.access(bare / "hooks/post-receive", os.X_OK)
    (bare / "hooks/post-receive").write_text("#!/bin/sh\n")
    assert here("hooks", "install", bare).status == 2
    (bare / "hooks/post-receive.d").mkdir()
    assert here("hooks", "install", bare).status == 0
    assert os.access(bare / "hooks/post-receive.d/gitops", os.X_OK)


def test_no_repository_is_said(tmp_path: Path, here: Cli) -> None:
    ended = here("hooks", "install", tmp_path)
    assert ended.status == 2
    assert "not a git repository" in ended.err


def test_what_init_writes_holds_no_secret(tmp_path: Path, here: Cli) -> None:
    assert here("init", tmp_path / "whole").status == 0
    author = Author(tmp_path / "whole")
    author.git("init", "--quiet", "--initial-branch=main")
    assert here("hooks", "install", author.clone).status == 0
    author.git("add", ".")
    committed = author.commit()
    assert committed.status == 0, committed.err


@pytest.mark.parametrize(
    "line",
    [
        KEY,
        "-----BEGIN " + "PRIVATE KEY-----",
        "token = hvs." + "CAESIJ1234567890abcdefghij",
        "VAULT_TOKEN=s." + "abcdefghijklmnopqrstuvwx",
        f'token = "{UUID}"',
        f"CONSUL_HTTP_TOKEN={UUID}",
        f"SecretID: {UUID}",
        "gitea_token: " + "0123456789abcdef" * 2 + "01234567",
        "url: postgres://app:s3cr3tpw@db:5432/app",
        "password: hunter2hunter",
        '  "db_password": "correct horse battery",',
        "POSTGRES_PASSWORD=hunter2hunter",
        "- GF_SECURITY_ADMIN_PASSWORD=admin",
        "api_key = 'abcd1234'",
    ],
)
def test_shapes_of_secrets(line: str) -> None:
    assert list(find("compose/app.yaml", line))
    assert not list(find("compose/app.yaml", f"{line} # not-a-secret"))


@pytest.mark.parametrize(
    "line",
    [
        "password: \"{{ secret('file:db') }}\"",
        "token = {{ secret('file:db') }}",
        "POSTGRES_PASSWORD_FILE=/run/secrets/db",
        "password_file: /run/secrets/db",
        "password: ${DB_PASSWORD}",
        "secret: file:db",
        "prometheus: {period: 768h, secret: prometheus-vault-token}",
        "token: vault:kv/app#token",
        "# password: what people type",
        "enable_token_persistence = true",
        f"accessor_id: {UUID}",
        "commit: " + "0123456789abcdef" * 2 + "01234567",
        "secrets: [db]",
        "password:",
        "url: https://user@example.org/x",
        "server { listen 443 ssl; }",
    ],
)
def test_what_is_none(line: str) -> None:
    assert list(find("compose/app.yaml", line)) == []
