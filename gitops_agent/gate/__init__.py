"""What must be given before the first write of a run: statuses that others post on the commit, and somebody's approval.

Below `reconcile`: knows revisions and plans, and nothing of how a run is made.
"""

from gitops_agent.gate.approvals import Approvals
from gitops_agent.gate.gate import Gate
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.requires import Requires, matches

__all__ = ["Approvals", "Gate", "Patience", "Requires", "matches"]
