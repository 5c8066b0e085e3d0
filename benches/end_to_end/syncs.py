"""How many syncs a durable step costs, counted by strace: a check of its own, since it is slow."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benches.end_to_end import workflows
from benches.end_to_end.figures import ROOT, report, scratch_folder
from benches.end_to_end.serving import serve

_FEW, _MANY = 100, 1_100


def main() -> None:
    """The difference of a long and a short run, so that what opening costs does not count."""
    if len(sys.argv) > 3 and sys.argv[1] == "--steps":
        with scratch_folder() as folder:
            asyncio.run(_steps(folder, int(sys.argv[2]), sys.argv[3]))
        return
    if shutil.which("strace") is None:
        sys.exit("strace is not installed")
    for name, which in (("syncs_per_step", "activities"), ("syncs_per_local_step", "local")):
        report(name, (_syncs(_MANY, which) - _syncs(_FEW, which)) / (_MANY - _FEW))


async def _steps(folder: Path, count: int, which: str) -> None:
    load = workflows.local_sequential if which == "local" else workflows.sequential
    async with serve(folder, [load], [workflows.increment]) as client:
        await client.execute_workflow(load, count)


def _syncs(steps: int, which: str) -> int:
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as trace:
        command = ["strace", "-f", "-e", "trace=fsync,fdatasync,sync_file_range", "-o", trace.name]
        module = [sys.executable, "-m", "benches.end_to_end.syncs", "--steps", str(steps)]
        module.append(which)
        subprocess.run([*command, *module], cwd=ROOT, check=True)
        return len(re.findall(r"\b(?:fsync|fdatasync)\(", trace.read()))


if __name__ == "__main__":
    main()
