"""Gitea's API as far as the agent needs it: a session for all of it, and one repository's statuses."""

from gitops_agent.gitea.comments import Comments
from gitops_agent.gitea.pulls import Pull, Pulls
from gitops_agent.gitea.repository import CommitGone, Gitea, Hook
from gitops_agent.gitea.session import NotFound, Session, Throttled, TokenRefused, said

__all__ = ["Comments", "CommitGone", "Gitea", "Hook", "NotFound", "Pull", "Pulls", "Session", "Throttled", "TokenRefused", "said"]
