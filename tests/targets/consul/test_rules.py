"""The look through ACL rules. What it must accept and refuse was asked of Consul 1.8 and 1.19."""

from __future__ import annotations

import pytest

from gitops_agent.errors import InvalidRevision
from gitops_agent.targets.consul.rules import check, normal

ACCEPTED = [
    "",
    "# nothing\n",
    'key "a" { policy = "write" }\nkey_prefix "" { policy = "list" }\n',
    'acl="read"\noperator = "write"',
    'service "x" { policy = "write" intentions = "read" }',
    'key "a" { policy = "write", }',
    '# c\n/* d\n */ // e\nagent_prefix "" { policy = "read" }',
    'mesh = "read"\npeering="read"',
    'namespace "x" { key "a" { policy = "read" } }',
    'key = { "a" = { policy = "read" } }',
    'query_prefix "" { policy = "read" }\nsession "n" { policy = "write"}\nkeyring="write"\nevent "" {policy="read"}',
]
_SENTINEL = """key "a" {
  policy = "write"
  sentinel {
    code = <<EOF
import "strings"
main = rule { true }
EOF
    enforcementlevel = "soft"
  }
}"""
_WRONG = [
    ('key "a" {\n  policy = "write"\n', "web.hcl:3: ends before its last brace is closed"),
    ('key "a" { policy = "read" }}', "web.hcl:1: } where a rule should be"),
    ('\nsevice "x" { policy = "read" }', "web.hcl:2: 'sevice' is no rule, Consul would ignore it; did you mean 'service'?"),
    ('key "a" {\n  polcy = "read"\n}', "web.hcl:2: 'polcy' is no rule, Consul would ignore it; did you mean 'policy'?"),
    ('service "x" { policy = "foo" }', 'web.hcl:1: policy = "foo" is none of read, write, deny'),
    ('acl = "scale"', 'web.hcl:1: acl = "scale" is none of read, write, deny'),
    ("acl = read", 'web.hcl:1: read where a value should be: acl = "read"'),
    ('acl "x" { policy = "read" }', 'web.hcl:1: acl has no braces: acl = "read"'),
    ('key "a" "b" { policy = "read" }', 'web.hcl:1: key needs one name: key "…" { policy = "read" }'),
    ('service { policy = "read" }', 'web.hcl:1: service needs one name: service "…" { policy = "read" }'),
    ('key "a" = { policy = "read" }', "web.hcl:1: = where { should be"),
    ("key 'a' { policy = \"read\" }", "web.hcl:1: cannot be read from \"'a' { poli\" on"),
    ('key "a', "web.hcl:1: cannot be read from '\"a' on"),
    ("key", "web.hcl:1: the end where { should be"),
]


@pytest.mark.parametrize("rules", [*ACCEPTED, 'something_of_a_later_consul "x" { policy = "read" }', _SENTINEL])
def test_right(rules: str) -> None:
    check("web.hcl", rules)


@pytest.mark.parametrize(("rules", "message"), _WRONG)
def test_wrong(rules: str, message: str) -> None:
    with pytest.raises(InvalidRevision) as raised:
        check("web.hcl", rules)
    assert str(raised.value) == message


def test_white_space_at_ends_means_nothing() -> None:
    """Failure mode 22."""
    assert normal('key "a" {  \r\n  policy = "read"\t\r\n}\r\n\n') == 'key "a" {\n  policy = "read"\n}'
