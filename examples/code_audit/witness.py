"""A log that the workers keep of what they really ran, beside and independent of the history.

Each attempt adds a line when it begins and one when it ends to the file that
`CODE_AUDIT_WITNESS` names, if it names one: what, the microsecond since the Unix epoch, the file.
The three languages write the same lines, so that the driver can show how far they are, count what
ran again after a kill, and see that nothing began whose result was recorded already.
"""

import os
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "CODE_AUDIT_WITNESS"


@contextmanager
def witnessed(path: str) -> Generator[None]:
    """Logs one attempt: an attempt that was killed has a beginning and no end."""
    _append("begun", path)
    try:
        yield
    finally:
        _append("ended", path)


def _append(what: str, path: str) -> None:
    """Adds one line; a short append is written whole, whoever else writes."""
    file = os.environ.get(VARIABLE)
    if not file:
        return
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, f"{what}\t{time.time_ns() // 1_000}\t{path}\n".encode())
    finally:
        os.close(descriptor)


class WitnessReader:
    """Follows the log, and knows how often each file was begun and which files are done."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self.begun: Counter[str] = Counter()
        self.begun_last_us: dict[str, int] = {}
        """When the last attempt at each file began."""
        self.ended: set[str] = set()

    def read(self) -> None:
        """Takes in the complete lines that have been added."""
        if not self._file.exists():
            return
        with self._file.open("rb") as log:
            log.seek(self._offset)
            added = log.read()
        complete = added[: added.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.decode(errors="replace").split("\n")[:-1]:
            what, at_us, path = line.split("\t", 2)
            if what == "begun":
                self.begun[path] += 1
                self.begun_last_us[path] = max(int(at_us), self.begun_last_us.get(path, 0))
            else:
                self.ended.add(path)

    @property
    def attempts(self) -> int:
        """How many attempts began."""
        return self.begun.total()

    @property
    def again(self) -> int:
        """How many of them were not the first of their activity."""
        return self.attempts - len(self.begun)
