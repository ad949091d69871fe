"""What keeps a storm cheap: a token bucket, and a memory of deliveries that cannot grow."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class Bucket:
    """Lets `burst` through at once and `rate` a second after that."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._level = float(burst)
        self._seen = clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """False when the bucket is empty: the caller answers 429."""
        with self._lock:
            now = self._clock()
            self._level = min(self._burst, self._level + (now - self._seen) * self._rate)
            self._seen = now
            if self._level < 1:
                return False
            self._level -= 1
            return True


class Recent:
    """Remembers the last `size` texts."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._texts: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, text: str) -> bool:
        """False when the text is known already."""
        with self._lock:
            if text in self._texts:
                return False
            self._texts[text] = None
            if len(self._texts) > self._size:
                self._texts.popitem(last=False)
            return True

    def __len__(self) -> int:
        return len(self._texts)
