"""What a pull request would change, said on the pull request before anybody merges it.

A pull request is written by strangers. So all that reads it — git, templates, parsers, the comparison — runs in a process of its
own with limits on time, memory and files, without the agent's environment, and no secret is ever resolved in it. The thread that
starts it and posts what it says is not that of runs: an apply never waits for a preview. What decides is the operator's:
agent.toml, and the code that is installed.
"""

from gitops_agent.preview.desk import Desk
from gitops_agent.preview.previews import Previews
from gitops_agent.preview.queue import Queue
from gitops_agent.preview.request import Bounds, Request
from gitops_agent.preview.sandbox import Sandbox
from gitops_agent.preview.validations import Conditions, Validations

__all__ = ["Bounds", "Conditions", "Desk", "Previews", "Queue", "Request", "Sandbox", "Validations"]
