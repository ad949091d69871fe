"""Deploy keys and branch protections of one repository."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_agent.adopt.described import Entry
from gitops_agent.adopt.saying import said
from gitops_agent.gitea import Session
from gitops_agent.targets.gitea.deploy_keys import DeployKeys
from gitops_agent.targets.gitea.protections import Protections


def describe(session: Session, repository: str) -> Iterator[Entry]:
    keys = session.rows(f"/repos/{repository}/keys", f"the deploy keys of {repository}")
    for found in DeployKeys(session).observe({}, {f"key:{repository}/{row['title']}": {} for row in keys}):
        name = found.name.partition(":")[2]
        yield Entry.of(f"deploy key {name}", "deploy-keys.yaml", said(found.spec, read_only=True), key=name)
    rules = session.rows(f"/repos/{repository}/branch_protections", f"the branch protections of {repository}")
    for found in Protections(session).observe({}, {f"protection:{repository}/{row['rule_name']}": {} for row in rules}):
        name = found.name.partition(":")[2]
        yield Entry.of(f"branch protection {name}", "branch-protections.yaml", said(found.spec), key=name)
