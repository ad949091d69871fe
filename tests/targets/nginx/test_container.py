"""nginx in a container, under the suite that every kind passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.adoption import Adoption
from tests.conformance.events import Sickness
from tests.conformance.suite import Conformance, Convergence
from tests.targets.nginx.contained import ContainedInPlace, ContainedSwitch, build_image

pytestmark = pytest.mark.server


@pytest.fixture(scope="module", autouse=True)
def _image(binary: Callable[[str], str]) -> None:
    build_image(binary("busybox"))


class TestInPlace(Conformance, Adoption, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Iterator[ContainedInPlace]:
        subject = ContainedInPlace(tmp_path)
        with subject.contained.supervised():
            yield subject


# Being killed while publishing by `switch` is test_conformance.py's; while asking Docker, the class above.
class TestSwitch(Convergence, Sickness):
    @pytest.fixture
    def subject(self, tmp_path: Path) -> Iterator[ContainedSwitch]:
        subject = ContainedSwitch(tmp_path)
        with subject.contained.supervised():
            yield subject
