"""Encoded payloads as other processes see them: with the codec, and without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from perdure import Client, DataConverter, StdioService, Worker, workflow
from perdure.converter import AesGcmCodec

PRIVATE = "Maria-Musterfrau-4711"
_CODEC = """\
from perdure.converter import AesGcmCodec

codec = AesGcmCodec({"2026-11": b"o" * 32}, current="2026-11")
"""


ECHO = Path(__file__).with_name("echo_worker.py")


@workflow.defn
async def asks(text: str) -> str:
    """Asks a worker that has no key."""
    answer: str = await workflow.execute_activity("echo", text, service="echo")
    return answer


@workflow.defn
class Kept:
    """Waits for a text, and gives it back."""

    def __init__(self) -> None:
        self.text = ""

    @workflow.run
    async def run(self, first: str) -> str:
        await workflow.wait_condition(lambda: bool(self.text))
        return f"{first} {self.text}"

    @workflow.signal
    def tell(self, text: str) -> None:
        self.text = text


def _perdure(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "perdure.cli", *arguments, "--store", "file:app.db"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def _everything(folder: Path) -> bytes:
    (folder / "crypto.py").write_text(_CODEC)
    key = AesGcmCodec({"2026-11": b"o" * 32}, current="2026-11")
    client = await Client.connect(
        f"file:{folder / 'app.db'}", data_converter=DataConverter(payload_codec=key)
    )
    codec = ("--codec", "crypto:codec")

    async def perdure(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(_perdure, folder, *arguments)

    async with Worker(client, workflows=[Kept]):
        await client.start_workflow(Kept.run, PRIVATE, id="a", memo={"who": PRIVATE})
        signalled = await perdure(
            "workflow", "signal", "a", "--name", "tell", "-i", f'"{PRIVATE}"', *codec
        )
        assert signalled.returncode == 0, signalled.stderr
        # Over the socket of a live worker, which decodes for nobody else.
        blind = await perdure("workflow", "result", "a")
        assert blind.returncode != 0
        assert "encoded with aes-gcm, key 2026-11" in blind.stderr
        seeing = await perdure("workflow", "result", "a", *codec)
        assert seeing.stdout.strip() == f"{PRIVATE} {PRIVATE}", seeing.stderr
    for verb in ("show", "describe", "result"):
        blind = await perdure("workflow", verb, "a")
        assert "encoded with aes-gcm, key 2026-11" in blind.stdout + blind.stderr, verb
        assert PRIVATE not in blind.stdout + blind.stderr, verb
        seeing = await perdure("workflow", verb, "a", *codec)
        assert PRIVATE in seeing.stdout, (verb, seeing.stderr)
    listed = await perdure("workflow", "list")
    assert listed.returncode == 0, listed.stderr
    return b"".join(each.read_bytes() for each in folder.iterdir() if each.is_file())


def test_the_command_line_names_the_key_that_it_lacks_and_decodes_with_it(tmp_path: Path) -> None:
    """`show`, `describe` and `result`, from the store and from a live worker."""
    assert PRIVATE.encode() not in asyncio.run(_everything(tmp_path))


async def _asks(folder: Path) -> tuple[str, bytes]:
    key = AesGcmCodec({"2026-11": b"o" * 32}, current="2026-11")
    client = await Client.connect(
        f"file:{folder / 'app.db'}", data_converter=DataConverter(payload_codec=key)
    )
    service = StdioService("echo", [sys.executable, str(ECHO)])
    async with Worker(client, workflows=[asks], services=[service]):
        answer = await client.execute_workflow(asks, PRIVATE)
    files = [each for each in folder.iterdir() if each.is_file()]
    return answer, b"".join(each.read_bytes() for each in files)


def test_a_worker_in_another_language_gets_plain_values_and_no_key(tmp_path: Path) -> None:
    """And what it answers is encoded before it is stored."""
    answer, stored = asyncio.run(asyncio.wait_for(_asks(tmp_path), 30))
    assert answer == PRIVATE
    assert PRIVATE.encode() not in stored
