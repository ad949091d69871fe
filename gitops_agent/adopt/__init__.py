"""Takes over a mini-cloud that was made by hand: looks at what runs, and writes the config repo that says so.

The first run of the agent then finds everything as it should be. Nothing on the host is changed but the directory that is written
and the agent's secrets.
"""

from gitops_agent.adopt.adoption import Wishes, take
from gitops_agent.adopt.left import Left, Why
from gitops_agent.adopt.repository import Place, Taken, check_empty

__all__ = ["Left", "Place", "Taken", "Why", "Wishes", "check_empty", "take"]
