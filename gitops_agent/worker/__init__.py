"""One thread per environment: wait → fetch → run → report. The only retry loop for runs."""

from gitops_agent.worker.environment import Environment
from gitops_agent.worker.status import Awaiting, EnvironmentStatus, TargetStatus

__all__ = ["Awaiting", "Environment", "EnvironmentStatus", "TargetStatus"]
