"""What happened in a run, one JSON object a line: when, what, and the details."""

import json
import threading
import time
from pathlib import Path
from typing import Any


class EventLog:
    """Appends to one file, from any thread. `at` is seconds since 1970, `after` since the run began."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = time.time()
        self._lock = threading.Lock()
        self._file = path.open("w", encoding="utf-8", buffering=1)

    def write(self, what: str, **details: Any) -> None:
        """Write down what happened now."""
        now = time.time()
        head = {"at": round(now, 3), "after": round(now - self.began, 3), "what": what}
        line = json.dumps({**head, **details}, default=str)
        with self._lock:
            if not self._file.closed:
                self._file.write(line + "\n")

    def close(self) -> None:
        """Write no more: what a thread still has to say is dropped."""
        with self._lock:
            self._file.close()
