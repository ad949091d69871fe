"""Is the mini-cloud as its architecture says? Looks into every system that agent.toml names; repairs are only offered."""

from gitops_agent.doctor.examination import examine
from gitops_agent.doctor.finding import Finding, Repair

__all__ = ["Finding", "Repair", "examine"]
