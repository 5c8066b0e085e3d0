"""kill -9 of workers and of the NATS server at many seeded random points, with work going on."""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.conformance.nats import NatsServer
from tests.conformance.stand import Stand, languages
from tests.e2e.errand import PYTHON, Begun, Errand, Load, check, read_begun, witness
from tests.e2e.victims import Dialling, Piped, Server, Victim, commands, strike

SEED = int(os.environ.get("PERDURE_SEED", "20261123"))
KILLS = int(os.environ.get("PERDURE_KILLS", "200"))
"""Over all the cases together."""
LANGUAGES = languages()
LOST_AFTER_MS = 1_000
"""How long one attempt may take where a worker can die without a word."""
NEVER_MS = 3_600_000
"""The same where whoever waits for it has overheard what should have told."""


@pytest.fixture(name="programs", scope="module")
def worker_programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return commands(tmp_path_factory.mktemp("programs"))


class Scene:
    """Workers, a NATS server if any dials one, and the engine."""

    def __init__(
        self, folder: Path, programs: dict[str, list[str]], piped: Sequence[str], ends: ExitStack
    ) -> None:
        self.folder = folder
        dialling = [language for language in LANGUAGES if language not in piped]
        self.server: Server | None = None
        server: NatsServer | None = None
        if dialling:
            server = NatsServer(folder)
            ends.callback(server.kill)
            self.server = Server(folder, server)
        children = [Piped(folder, language, programs[language]) for language in piped]
        self.workers: list[Victim] = [*children]
        for language in dialling:
            assert server is not None
            worker = Dialling(folder, language, programs[language], server)
            ends.callback(worker.end)
            self.workers.append(worker)
        self.stand = Stand(
            folder,
            services=[child.service for child in children],
            server=server,
            workflows=[Errand],
            activities=[witness],
        )
        ends.callback(self.stand.close)


@contextmanager
def scene(folder: Path, programs: dict[str, list[str]], piped: Sequence[str]) -> Generator[Scene]:
    with ExitStack() as ends:
        yield Scene(folder, programs, piped, ends)


def kill_under_load(scene: Scene, victims: Sequence[Victim], kills: int, patience_ms: int) -> Begun:
    """Kills so many times while runs go on, and checks every run; gives what the workers noted."""
    print(f"seed {SEED}")
    chance = random.Random(SEED)

    async def begin() -> Load:
        return Load(scene.stand.client, scene.folder, LANGUAGES, patience_ms=patience_ms, seed=SEED)

    load = scene.stand.run(begin())
    frozen = sum(strike(chance.choice(victims), chance) for _ in range(kills))
    try:
        runs = scene.stand.run(load.end())
    except TimeoutError:
        pytest.fail(f"runs do not end after {kills} kills: {load.waiting()} (seed {SEED})")
    begun = read_begun(scene.folder, [PYTHON, *LANGUAGES])
    keys: set[str] = set()
    for run in runs:
        keys |= check(run, scene.stand.history(run.handle), begun)
    steps = sum(len(stage) for run in runs for stage in run.stages)
    print(
        f"{kills} kills ({frozen} after a stop), {len(runs)} runs, {steps} steps, {begun.again} "
        f"executions ran again ({begun.same_attempt_again} of the same attempt)"
    )
    assert len(keys) == steps, "each step has a key of its own"
    assert set(begun.executions) == keys, "nothing ran that no run asked for"
    python = read_begun(scene.folder, [PYTHON])
    assert python.again == 0, "a step of the engine's own process ran again"
    return begun


def test_j3_kill_workers_over_stdio(tmp_path: Path, programs: dict[str, list[str]]) -> None:
    with scene(tmp_path, programs, LANGUAGES) as opened:
        begun = kill_under_load(opened, opened.workers, KILLS * 45 // 100, NEVER_MS)
    assert begun.again > 0, "no kill hit a step"
    assert begun.same_attempt_again == 0, "a step over stdio was handed out twice"


def test_j3_kill_workers_over_nats(tmp_path: Path, programs: dict[str, list[str]]) -> None:
    with scene(tmp_path, programs, []) as opened:
        begun = kill_under_load(opened, opened.workers, KILLS * 30 // 100, LOST_AFTER_MS)
    assert begun.again > 0, "no kill hit a step"


def test_j3_kill_the_nats_server(tmp_path: Path, programs: dict[str, list[str]]) -> None:
    with scene(tmp_path, programs, []) as opened:
        assert opened.server is not None
        begun = kill_under_load(opened, [opened.server], KILLS * 9 // 100, NEVER_MS)
    assert begun.again == 0, "a step ran again, though its worker lived on"


@pytest.mark.parametrize("piped", LANGUAGES)
def test_j4_kill_workers_and_server_at_once(
    tmp_path: Path, programs: dict[str, list[str]], piped: str
) -> None:
    with scene(tmp_path, programs, [piped]) as opened:
        assert opened.server is not None
        victims = [*opened.workers, opened.server]
        begun = kill_under_load(opened, victims, KILLS * 8 // 100, LOST_AFTER_MS)
    assert begun.again > 0, "no kill hit a step"
