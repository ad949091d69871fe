"""What `check` sees of HCL without any server: which jobs a file declares, and what does not end."""

from __future__ import annotations

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.hcl import blocks


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
    assert [(block.name, block.line) for block in blocks("web.hcl", text) if block.kind == "job"] == found


@pytest.mark.parametrize(
    "text",
    [
        'job "web" {\n  meta { a = "${f("}")}", b = "$${ { ", c = "\\"{" }\n}\n',
        'job "web" {\n  constraint {\n    attribute = "${attr["x"]}"\n  }\n}\n',
        'job "web" {\n  a = {for k, v in local.x : k => upper(v)}\n  t = <<-EOT\n    {{ with secret "a" }\n  EOT\n}\n',
        'job "web" {\n  a = 4 / 2 # {\n  b = "http://x" // }\n}\n',
        'job "web" {\n  t = <<EOT\nEOT\n}\n',
        'job "web" {\r\n  t = <<EOT\r\n{\r\nEOT\r\n}\r\n',
    ],
)
def test_what_is_right_is_not_complained_of(text: str) -> None:
    assert [block.kind for block in blocks("web.hcl", text)] == ["job"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('job "web" {\n  group "a" {\n}\n', 1, "{ is never closed"),
        ('job "web" {\n}\n}\n', 3, "} closes nothing"),
        ('job "web" {\n  a = [1, 2\n}\n', 3, "} where the [ of line 2 should be closed"),
        ('job "web" {\n  a = "b\n}\n', 2, "begins what does not end"),
        ('job "web" {\n  a = "${f("}\n}\n', 2, "begins what does not end"),
        ('job "web" {\n  t = <<EOT\n}\n', 2, "begins what does not end"),
        ('job "web" {\n/* }\n', 2, "begins what does not end"),
    ],
)
def test_what_does_not_end_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        [*blocks("web.hcl", text)]
    assert (raised.value.line, raised.value.message) == (line, message)
