"""Gitea: one module a type of resource, behind one target."""

from gitops_agent.targets.gitea.target import GiteaTarget

TARGET = GiteaTarget
