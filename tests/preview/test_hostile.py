"""Failure mode 18: a hostile pull request gains nothing and costs bounded time. Each test proposes one, then a good one."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.gitserver import git
from tests.preview.proposing import Files, Proposals
from tests.worker.running import Running, eventually

CANARY = "canary-4711-of-the-host"
QUICK = {"render_timeout": 2, "render_memory": 64 << 20}


def refused(proposals: Proposals, files: Files, said: str) -> str:
    """The comment."""
    number, head = proposals.open(files)
    assert re.search(said, proposals.is_(head, "failure"))
    return proposals.says(number, "It cannot be applied as it is")


def goes_on(agent: Running, proposals: Proposals) -> None:
    """The agent still takes commits and looks at others."""
    sha = agent.author.push({"pages/index.html": f"{time.monotonic()}\n"})
    agent.settled(sha)
    number, head = proposals.open({"pages/good.html": "good\n"}, "good")
    proposals.is_(head, "success")
    proposals.says(number, "+ create good.html")


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ ''['__cl' ~ 'ass__'] }}",
        "{{ '%s' | attr('__class__') }}",
        "{{ '{0.__class__.__init__.__globals__}'.format(fail) }}",
        "{{ secret.__globals__ }}",
        "{% include '/etc/passwd' %}",
        "{% include '../../../../../../etc/passwd' %}",
        "{% import '/proc/self/environ' as it %}{{ it }}",
        "{{ environ }}",
        "{{ env['HOME'] }}",
        "{{ open('/etc/passwd').read() }}",
        "{{ lookup('file', '/etc/passwd') }}",
    ],
)
def test_templates_reach_nothing_of_the_host(
    agent: Running, proposals: Proposals, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_OF_THE_HOST", CANARY)
    proposals.start()
    number, head = proposals.open({"pages/x.html.j2": template})
    proposals.is_(head, "failure")
    said = proposals.says(number, "pages/x.html.j2:1:")
    for secret in (CANARY, "root:x:0", "subprocess", "uid=", str(agent.path)):
        assert secret not in said


def test_secrets_are_named_and_never_read(agent: Running, proposals: Proposals) -> None:
    """Not even looked up: there is none of that name, which in a run would be an error."""
    (agent.path / "state/secrets").mkdir(parents=True)
    (agent.path / "state/secrets/other").write_text(CANARY)
    proposals.start(targets=agent.target("pages", secrets=["file:allowed*"]))
    number, head = proposals.open({"pages/x.j2": '{{ secret("file:allowed-and-not-there") }}'})
    assert proposals.is_(head, "success") == "pages: 1 created"
    assert "(sensitive)" in proposals.says(number, "+ create x")
    assert "may not use secret 'file:other'" in refused_anew(proposals, number, {"pages/x.j2": '{{ secret("file:other") }}'})
    assert CANARY not in str(proposals.comments(number))
    assert "gitops_secret_" not in str(proposals.comments(number))


def refused_anew(proposals: Proposals, number: int, files: Files) -> str:
    proposals.is_(proposals.branch(files), "failure")
    return proposals.says(number, "It cannot be applied as it is")


@pytest.mark.parametrize("wrap", ["{}", "{}".upper(), "x-{}-x"])
def test_a_forged_placeholder(agent: Running, proposals: Proposals, wrap: str) -> None:
    proposals.start(targets=agent.target("pages", secrets=["*"]))
    forged = "gitops_secret_lmrgm2lmmu5gizjolurcexi_" + "0" * 32 + "_"
    refused(proposals, {"pages/x.html": wrap.format(forged)}, "forged or mangled secret placeholder")


def test_what_decides_does_not_come_from_the_request(agent: Running, proposals: Proposals) -> None:
    """agent.toml, the task file and hooks are files like any others: no target has them, nothing reads or runs them."""
    proposals.start()
    trap = f"#!/bin/sh\ntouch {agent.path}/trapped\n"
    hooks = {f"{where}/{hook}": trap for where in ("hooks", "_git/hooks") for hook in ("post-checkout", "post-merge", "pre-push")}
    config = (
        f'[environments.test]\nsource = "/etc"\n[[environments.test.targets]]\nkind = "files"\ndirectory = "{agent.path}/trap"\n'
    )
    drivers = {
        ".gitattributes": "* merge=trap filter=trap diff=trap\n",
        ".gitconfig": f'[merge "trap"]\ndriver = touch {agent.path}/trapped\n',
    }
    number, head = proposals.open({"agent.toml": config, "agent/agent.toml": config, "ci/validate.yml": trap, **hooks, **drivers})
    agent.author.push({"pages/other.html": "so that there is something to merge\n"})
    assert proposals.is_(head, "success") == "no changes"
    goes_on(agent, proposals)
    assert not (agent.path / "trapped").exists()
    assert not (agent.path / "trap").exists()
    assert "no changes" in proposals.comment(number)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "did not end within 2 s"),
        ("{{ 'x' * 10000000000 }}", "memory|larger"),
        (
            "{% set ns = namespace(x='x') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "memory|larger|recursion",
        ),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "call each other without end"),
        ("{% for a in range(99999) %}{{ 'x' * 9999 }}{% endfor %}", "larger than 32 MiB|memory|did not end"),
    ],
)
def test_huge_and_endless_renders(agent: Running, proposals: Proposals, template: str, said: str) -> None:
    proposals.start(environment=QUICK)
    began = time.monotonic()
    refused(proposals, {"pages/x.html.j2": template}, said)
    assert time.monotonic() - began < 20
    goes_on(agent, proposals)


@pytest.mark.slow
def test_values_and_declarations_that_explode(agent: Running, proposals: Proposals) -> None:
    """A billion laughs, once for the renderer and once for a kind's own parser."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    bomb = "\n".join(lines) + "\n"
    agent.author.push({"consul/kv.yaml": "a: b\n"})
    consul = agent.target("consul", "consul", address="http://127.0.0.1:9")
    proposals.start(targets=agent.target("pages") + consul, environment=QUICK, timeout=10)
    for name, file in (("values", "values/common.yaml"), ("consul", "consul/kv.yaml")):
        began = time.monotonic()
        files = {file: bomb, "pages/x.j2": "{{ a11 }}"} if name == "values" else {file: bomb}
        number, head = proposals.open(files, name)
        proposals.is_(head, "failure", timeout=40)
        assert time.monotonic() - began < 30
        proposals.says(number, "It cannot be applied as it is")


@pytest.mark.slow
def test_one_that_costs_its_whole_time_delays_no_apply(agent: Running, proposals: Proposals) -> None:
    proposals.start(environment={"render_timeout": 60}, timeout=8)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    number, head = proposals.open({"pages/x.html.j2": endless})
    proposals.is_(head, "pending")
    began = time.monotonic()
    agent.settled(agent.author.push({"pages/index.html": "meanwhile\n"}))
    assert time.monotonic() - began < 5
    assert proposals.is_(head, "failure") == "looking at it takes longer than 8 s"
    proposals.says(number, "looking at it takes longer than 8 s")
    eventually(lambda: not children(agent.pid), 15)


@pytest.mark.slow
def test_stopping_waits_for_no_preview(agent: Running, proposals: Proposals) -> None:
    proposals.start(environment={"render_timeout": 60}, timeout=30)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    _, head = proposals.open({"pages/x.html.j2": endless})
    proposals.is_(head, "pending")
    eventually(lambda: children(agent.pid))
    at_work = children(agent.pid)
    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < 8
    assert not at_work & children()


def children(of: int | None = None) -> set[int]:
    """Processes that look at pull requests, or render for them: of one agent, or of all that run here, other tests' among them."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if b"gitops_agent.preview.child" in (process / "cmdline").read_bytes() and of in (None, parent):
                found.add(int(process.name))
    return found


@pytest.mark.parametrize(
    "name", ["x;$(touch${IFS}trapped)", "--upload-pack=touch", "`touch${IFS}trapped`", "a'b\"c|d&e>f", "@ann", "#1"]
)
def test_a_branch_name_made_of_shell(agent: Running, proposals: Proposals, name: str) -> None:
    proposals.start()
    number, head = proposals.open({"pages/new.html": "new\n"}, name)
    proposals.is_(head, "success")
    said = proposals.says(number, "1 created")
    assert name not in said
    assert not [*agent.path.rglob("trapped")]


def test_links_and_submodules(agent: Running, proposals: Proposals) -> None:
    proposals.start()
    clone = agent.author.clone
    target = git("hash-object", "-w", "--stdin", at=clone, stdin=b"/etc/passwd")
    link = git("mktree", at=clone, stdin=f"120000 blob {target}\tpasswd\n".encode())
    number, head = proposals.open_tree(git("mktree", at=clone, stdin=f"040000 tree {link}\tpages\n".encode()))
    assert proposals.is_(head, "failure") == "pages/passwd: is a symbolic link; a config repo holds plain files only"
    module = git("mktree", "--missing", at=clone, stdin=f"160000 commit {'1' * 40}\tmodule\n".encode())
    tree = git("mktree", at=clone, stdin=f"040000 tree {module}\tpages\n".encode())
    sha = git("commit-tree", tree, "-p", "HEAD", "-m", "propose", at=clone)
    git("push", "--quiet", "--force", "origin", f"{sha}:refs/heads/change", at=clone)
    assert "is a submodule" in proposals.is_(sha, "failure")
    assert "root:" not in proposals.comment(number)


def test_a_million_files_and_a_billion(agent: Running, proposals: Proposals) -> None:
    """Few small trees that name each other: a kilobyte to send."""
    proposals.start()
    clone = agent.author.clone
    blob = git("hash-object", "-w", "--stdin", at=clone, stdin=b"x\n")
    tree = git("mktree", at=clone, stdin="".join(f"100644 blob {blob}\t{n:03}\n" for n in range(100)).encode())
    for _ in range(4):
        tree = git("mktree", at=clone, stdin="".join(f"040000 tree {tree}\t{n:03}\n" for n in range(100)).encode())
    began = time.monotonic()
    _, head = proposals.open_tree(git("mktree", at=clone, stdin=f"040000 tree {tree}\tpages\n".encode()))
    assert "more than 20,000 files and folders" in proposals.is_(head, "failure")
    assert time.monotonic() - began < 15
    goes_on(agent, proposals)


@pytest.mark.slow
def test_large_files_and_large_fetches(agent: Running, proposals: Proposals) -> None:
    proposals.start(max_fetch_bytes=2 << 20)
    refused(proposals, {"pages/zeros": b"\0" * (50 << 20)}, r"pages/zeros: has 52,428,800 bytes; the limit is 1,048,576")
    number, head = proposals.open({"pages/noise": os.urandom(8 << 20)}, "noise")
    assert proposals.is_(head, "error").startswith(f"cannot fetch pull request {number}")
    mirror = agent.path / "state/test/previews/mirror.git"
    assert sum(file.stat().st_size for file in mirror.rglob("*") if file.is_file()) < 4 << 20
    goes_on(agent, proposals)
