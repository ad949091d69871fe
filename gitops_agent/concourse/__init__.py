"""Concourse, as far as the agent talks to it: a session as a local user or a client, and one-off builds followed to their end.

`Session` logs in and stays logged in; `Builds` starts builds of a plan (`plans`) on files that were sent to a worker, without
waiting for any scheduler; `Build.follow` says how one ended. Facts about the API were read in the source of 8.2.5 and seen on it.
"""

from gitops_agent.concourse.archive import packed
from gitops_agent.concourse.builds import Build, Builds, BuildStatus, Forgotten, Verdict
from gitops_agent.concourse.plans import Plan, git, in_order, task, uploaded
from gitops_agent.concourse.session import Client, LoginRefused, RoleMissing, Session, User

__all__ = [
    "Build",
    "BuildStatus",
    "Builds",
    "Client",
    "Forgotten",
    "LoginRefused",
    "Plan",
    "RoleMissing",
    "Session",
    "User",
    "Verdict",
    "git",
    "in_order",
    "packed",
    "task",
    "uploaded",
]
