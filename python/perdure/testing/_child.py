"""A process that replays what it is given, line by line, until there is no more."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from perdure.testing._judge import judge
from perdure.testing._wire import find_by_name, jobs_of, result_line

__all__ = ["READY", "main"]

READY = b"ready\n"


def main(names: Sequence[Sequence[str]], strict: bool) -> None:
    """Imports the workflows, says so, and replays what comes on stdin; results go to stdout."""
    # What workflow code prints must not come between the results.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    workflows = {
        definition.name: definition
        for definition in (find_by_name(module, name) for module, name in names)
    }
    results.write(READY)
    results.flush()
    for line in sys.stdin.buffer:
        for index, history in jobs_of(line):
            results.write(result_line(judge(history, index, workflows, strict=strict)))
            results.flush()


def start_text(path: Sequence[str], names: Sequence[Sequence[str]], *, strict: bool) -> str:
    """The program of such a process, to be given to `python -c`: it imports as this one does."""
    return (
        f"import json, sys; sys.path[:] = json.loads({json.dumps(list(path))!r}); "
        "from perdure.testing._child import main; "
        f"main(json.loads({json.dumps([list(each) for each in names])!r}), {strict})"
    )
