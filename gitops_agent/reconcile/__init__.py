"""One run: `prepare` reads, renders and plans; `carry_out` makes it real. Knows no worker, no web, no git command, no database.

`prepare` alone is `gitops-agent plan`. First start, push, poll, drift, retry, revert and crash recovery are all the same run.
"""

from gitops_agent.reconcile.carry_out import SawnOff, Waiting, carry_out, refuse
from gitops_agent.reconcile.outstanding import outstanding
from gitops_agent.reconcile.prepare import Prepared, Reconciler
from gitops_agent.reconcile.progress import Progress, TargetResult

__all__ = ["Prepared", "Progress", "Reconciler", "SawnOff", "TargetResult", "Waiting", "carry_out", "outstanding", "refuse"]
