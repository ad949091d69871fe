"""Is the mini-cloud as its architecture says? Looks into every system that agent.toml names; repairs are only offered."""

from gitops_agent.doctor.agent import files as look_at_files
from gitops_agent.doctor.agent import look as look_at_agent
from gitops_agent.doctor.examination import examine
from gitops_agent.doctor.finding import Finding, Repair
from gitops_agent.doctor.rehearsal import rehearse

__all__ = ["Finding", "Repair", "examine", "look_at_agent", "look_at_files", "rehearse"]
