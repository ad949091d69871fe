"""The config repo, brought to where the agent will read it from: once. From then on it is pushed to by people."""

from __future__ import annotations

from pathlib import Path

from gitops_agent import process
from gitops_agent.bootstrap.gitea import AGENT, TOKEN
from gitops_agent.bootstrap.gitea_administration import administration
from gitops_agent.bootstrap.ground import Ground
from gitops_agent.bootstrap.step import Step
from gitops_agent.errors import ApplyFailed, CommandFailed, Unavailable
from gitops_agent.source import Remote
from gitops_agent.source.command import Git, reason

BRANCH = "main"
_QUICK = 15.0
"""Seconds for git to answer: it is on this host."""


class ConfigRepo(Step):
    """In Gitea where there is one, in ROOT/config.git otherwise."""

    name = "config repo"
    patience = 60

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._repository = ground.blueprint.facts.repository
        self._bare = bare(ground)

    def missing(self) -> str:
        if self._bare is not None:
            there = (self._bare / f"refs/heads/{BRANCH}").exists() or (self._bare / "packed-refs").exists()
            return "" if there else f"{self._bare} is not there"
        api = self._ground.api("gitea", {"Authorization": f"token {self._ground.secrets.read(TOKEN)}"})
        path = f"/api/v1/repos/{self._repository}/branches/{BRANCH}"
        return "" if api.call("GET", path, accept=(404,)).status == 200 else f"{self._repository} has no branch {BRANCH}"

    def do(self) -> None:
        if self._bare is not None:
            git = Git(Remote(str(self._bare)), self._ground.state)
            git("init", "--quiet", "--bare", f"--initial-branch={BRANCH}", "--template=", self._bare)
            self._push(git)
            return
        organisation, _, name = self._repository.partition("/")
        with administration(self._ground).api() as api:
            if api.call("GET", f"/api/v1/repos/{self._repository}", accept=(404,)).status == 404:
                body = {"name": name, "private": True, "auto_init": False, "default_branch": BRANCH}
                api.call("POST", f"/api/v1/orgs/{organisation}/repos", json=body)
        remote = source(self._ground)
        if remote is None:
            raise Unavailable("gitea does not run any more")
        self._push(Git(remote, self._ground.state))

    def _push(self, git: Git) -> None:
        blueprint = self._ground.blueprint
        try:
            git(
                "push",
                "--quiet",
                git.remote.url,
                f"{blueprint.revision.sha}:refs/heads/{BRANCH}",
                at=git_directory(blueprint.place),
            )
        except CommandFailed as error:
            raise ApplyFailed(f"{blueprint.place} cannot be pushed to {git.remote.url}: {reason(error, git.remote)}") from None


def bare(ground: Ground) -> Path | None:
    """Where the config repo is on this host, when there is no Gitea."""
    return None if ground.blueprint.has("gitea") else ground.blueprint.facts.root / "config.git"


def source(ground: Ground) -> Remote | None:
    """The repository that the agent follows, as this process reaches it; None where Gitea does not run, or knows no agent."""
    path = bare(ground)
    if path is not None:
        return Remote(str(path))
    if not ground.secrets.has(TOKEN):
        return None
    try:
        address = ground.reach(ground.blueprint.facts.addresses["gitea"])
    except Unavailable:
        return None
    url = f"{address}/{ground.blueprint.facts.repository}.git"
    return Remote(url, username=AGENT, token_file=ground.secrets.path(TOKEN), timeout=_QUICK)


def git_directory(place: Path) -> Path:
    command = ["git", "-c", "safe.directory=*", "-C", str(place), "rev-parse", "--absolute-git-dir"]
    return Path(process.run(command, timeout=30).text.strip())
