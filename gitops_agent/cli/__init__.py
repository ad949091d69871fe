"""The commands. Thin: a command reads its arguments, calls what does the work, and prints. `--help` is to answer at once, so
everything heavy is imported by the command that needs it.
"""

from gitops_agent.cli.main import main

__all__ = ["main"]
