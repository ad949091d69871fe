"""`demo`: the main job on this host, with nothing set up: push, break, revert, tamper, and see what becomes of it."""

from gitops_agent.cli.demo.command import demo

__all__ = ["demo"]
