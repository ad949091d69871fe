"""The git repository an environment follows: a bare mirror, read in memory. Nothing is ever checked out.

The only place that knows git; `remote` and `command` say how it is reached, `mirror` keeps the copy whole, `objects` and `tree`
read it, `signatures` say whose commits count, `marks` remember what became of revisions, `notes` tell it to a repository that has
no Gitea; `merges` is what pull requests would make of the branch.
"""

from gitops_agent.source.merges import Merges
from gitops_agent.source.remote import Remote
from gitops_agent.source.signatures import Signers
from gitops_agent.source.source import Source

__all__ = ["Merges", "Remote", "Signers", "Source"]
