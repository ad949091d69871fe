"""What must be given before the first write of a run: a validation that succeeded, statuses that others post on the commit, and
somebody's approval.

Below `reconcile`: knows revisions and plans, and nothing of how a run is made.
"""

from gitops_agent.gate.approvals import Approvals
from gitops_agent.gate.begun import BegunBuilds
from gitops_agent.gate.checking import Checking, Subject
from gitops_agent.gate.gate import Gate
from gitops_agent.gate.lending import Lending
from gitops_agent.gate.patience import Patience
from gitops_agent.gate.requires import Requires, matches
from gitops_agent.gate.task_file import TaskFile
from gitops_agent.gate.validation import Terms, Validation

__all__ = [
    "Approvals",
    "BegunBuilds",
    "Checking",
    "Gate",
    "Lending",
    "Patience",
    "Requires",
    "Subject",
    "TaskFile",
    "Terms",
    "Validation",
    "matches",
]
