"""From an empty Docker host to a green first run: only what no run can do for itself, in steps that look at the systems to know
whether they are done. Killed anywhere and started again, it goes on; there is no journal of steps that could lie.

What a run can do is done by the same targets, with the credentials of an administrator where the agent's own are not there yet.
"""

from gitops_agent.bootstrap.blueprint import Blueprint
from gitops_agent.bootstrap.down import down
from gitops_agent.bootstrap.ground import Credentials, Ground
from gitops_agent.bootstrap.newest import newest, of_root
from gitops_agent.bootstrap.step import Look, Step, climb, look_at
from gitops_agent.bootstrap.steps import steps, unsealing

__all__ = [
    "Blueprint",
    "Credentials",
    "Ground",
    "Look",
    "Step",
    "climb",
    "down",
    "look_at",
    "newest",
    "of_root",
    "steps",
    "unsealing",
]
