"""A project of its own for every test, gone afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.targets.compose.engine import clear, make_images


@pytest.fixture(scope="session")
def images() -> None:
    make_images()


@pytest.fixture
def project(images: None) -> Iterator[str]:
    name = f"gitops-agent-test-{uuid.uuid4().hex[:8]}"
    yield name
    clear(name)
