"""Which Gitea repository a source is, by its configured address: a payload's URLs are never trusted, nor compared."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from gitops_agent.settings import EnvironmentSettings


def full_name(source: str) -> str:
    """`owner/name` in lower case, as Gitea takes names; of a path on this host its last two parts.

    `https://host/gitea/Ops/config.git`, `ssh://git@host:22/ops/config.git`, `git@host:ops/config.git` and
    `/var/lib/gitea/git/repositories/ops/config.git` are all `ops/config`.
    """
    path = urlsplit(source).path if "://" in source else source.rpartition(":")[2]
    parts = [part for part in path.split("/") if part]
    return "/".join(parts[-2:]).removesuffix(".git").casefold()


def commit_page(settings: EnvironmentSettings, sha: str) -> str:
    """Address of a commit in Gitea's own pages, empty where there is no Gitea to link to."""
    source = settings.source
    if gitea := settings.gitea_pages or settings.gitea:
        return f"{gitea.rstrip('/')}/{quote(full_name(source))}/commit/{quote(sha)}"
    if source.startswith(("http://", "https://")):
        return f"{source.rstrip('/').removesuffix('.git')}/commit/{quote(sha)}"
    return ""
