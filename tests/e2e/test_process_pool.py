"""Activities in processes of their own: these end with the worker, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure import Client
from tests.e2e import store_worker
from tests.e2e.store_worker import who_computes
from tests.e2e.waiting import until


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_processes_of_the_pool_end_with_the_worker(tmp_path: Path, end: signal.Signals) -> None:
    async def test(worker: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        process_id = await client.execute_workflow(who_computes)
        assert process_id != worker.pid
        assert _is_alive(process_id)
        worker.send_signal(end)
        await until(lambda: not _is_alive(process_id))

    with subprocess.Popen(
        [sys.executable, store_worker.__file__, "serve", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "serving\n"
            asyncio.run(asyncio.wait_for(test(worker), 30))
        finally:
            worker.kill()
