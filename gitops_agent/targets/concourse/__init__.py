"""Concourse: pipelines, with what of them is paused, exposed and in which order."""

from gitops_agent.targets.concourse.target import ConcourseTarget

TARGET = ConcourseTarget
