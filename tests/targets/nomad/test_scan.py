"""Which job a file declares, found without any server."""

from __future__ import annotations

import pytest

from gitops_agent.targets.nomad.scan import jobs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('job "web" {\n}\n', [("web", 1)]),
        ('\n\njob "web"\t{ }', [("web", 3)]),
        ("job web {\n}\n", [("web", 1)]),
        ('# job "no" {\n// job "no" {\n/* job "no" {\n*/ job "web" {\n}', [("web", 4)]),
        ('variable "job" {\n  default = "job \\"x\\" {"\n}\njob "web" {\n}', [("web", 4)]),
        ('locals {\n  t = <<EOT\njob "no" {\n  EOT\n}\njob "web" {\n}', [("web", 6)]),
        ('locals {\n  t = <<-EOT\n  } }\n  EOT\n}\njob "web" {\n}', [("web", 6)]),
        ('job "a" {\n}\njob "b" {\n}', [("a", 1), ("b", 3)]),
        ('group {\n  job "inner" {\n  }\n}', []),
        ('my_job "x" {\n}', []),
        ("", []),
    ],
)
def test_jobs_of_a_file(text: str, found: list[tuple[str, int]]) -> None:
    assert [*jobs(text)] == found
