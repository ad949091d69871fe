"""What the kinds share that are systems with named things in them: whose is what, types of things, a record of what is owned."""

from gitops_agent.system_target.noted import Noted, NotedType
from gitops_agent.system_target.settings import ApiSettings, SharedSettings
from gitops_agent.system_target.types import ResourceType, Types, label

__all__ = ["ApiSettings", "Noted", "NotedType", "ResourceType", "SharedSettings", "Types", "label"]
