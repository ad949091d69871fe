"""What these tests make secret is arbitrary text, which no later test of this process may find masked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitops_agent.secret import masking


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """The agent itself never forgets a secret."""
    forms, values = dict(masking._forms), set(masking._values)
    yield
    masking._forms.clear()
    masking._forms.update(forms)
    masking._values.clear()
    masking._values.update(values)
