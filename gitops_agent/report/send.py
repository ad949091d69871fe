"""A process of its own that sends one notification: `python -m gitops_agent.report.send`, the message as JSON on standard input.

Apprise loads its hundred services for the first message, which takes two seconds and 50 MB: not in the agent's own process, where
every other thread would wait. Here it may also hang, crash, and say what it likes of its addresses: nobody listens.
"""

from __future__ import annotations

import json
import logging
import sys

SENT, NOT_SENT, NO_ADDRESS = 0, 3, 4
"""Exit statuses; 1 and 2 are Python's own, for an end in a heap. NO_ADDRESS: Apprise cannot read the address."""


def main() -> int:
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    message = json.load(sys.stdin)
    service = apprise.Apprise.instantiate(message["address"], suppress_exceptions=True)
    if service is None:
        return NO_ADDRESS
    kind = apprise.NotifyType.SUCCESS if message["good"] else apprise.NotifyType.FAILURE
    done = service.notify(body=message["body"], title=message["title"], notify_type=kind)
    return SENT if done else NOT_SENT


if __name__ == "__main__":
    sys.exit(main())
