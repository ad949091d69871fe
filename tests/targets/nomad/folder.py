"""Jobs for tests: nothing is downloaded, and most of them run nothing."""

from __future__ import annotations

import json
from typing import Any

SERVICE = """# a comment with a brace {
variable "greeting" {{
  type = string
}}

job "{name}" {{
  update {{
    min_healthy_time  = "0s"
    healthy_deadline  = "20s"
    progress_deadline = "30s"
  }}
  group "main" {{
    count = 1
    restart {{
      attempts = 0
      mode     = "fail"
    }}
    task "main" {{
      driver       = "raw_exec"
      kill_timeout = "1s"
      config {{
        command = "/bin/sleep"
        args    = ["3600"]
      }}
      env {{
        GREETING = var.greeting
{env}      }}
      resources {{
        cpu    = 20
        memory = 16
      }}
    }}
  }}
}}
"""

PERIODIC = """job "nightly" {
  type = "batch"
  periodic {
    crons            = ["0 3 1 1 *"]
    prohibit_overlap = true
  }
  group "main" {
    task "main" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
    }
  }
}
"""


def service(name: str = "web", **env: str) -> bytes:
    lines = "".join(f'        {key} = "{value}"\n' for key, value in env.items())
    return SERVICE.replace("brace {", "brace {{").format(name=name, env=lines).encode()


def parameterized(name: str, **env: str) -> dict[str, Any]:
    """As Nomad's API has it."""
    task = {"Name": "main", "Driver": "raw_exec", "Config": {"command": "/bin/true"}, "Env": env}
    group = {"Name": "main", "Count": 1, "Tasks": [task]}
    return {"ID": name, "Name": name, "Type": "batch", "ParameterizedJob": {"Payload": "optional"}, "TaskGroups": [group]}


def in_json(job: dict[str, Any]) -> bytes:
    return json.dumps({"Job": job}, indent=2).encode()
