"""Killing at every moment takes as long as everything else together: so each day has its turn. `KILL_EVERY=1` has them all."""

from __future__ import annotations

import os
import time

EVERY = int(os.environ.get("KILL_EVERY", "3"))
"""One moment of so many is killed at, another one on the next day."""
TODAY = int(time.time() // 86400) % EVERY
"""The first of them, counted from 0."""
