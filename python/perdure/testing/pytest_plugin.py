"""The pytest plugin: `perdure_env`, `perdure_sync_env`, and `--perdure-replay DIR`.

pytest finds it by itself where Perdure is installed.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from perdure.testing._environment import WorkflowEnvironment
    from perdure.testing._history import WorkflowHistory
    from perdure.testing._replayer import Replayer
    from perdure.testing._sync_environment import SyncWorkflowEnvironment

__all__ = [
    "ReplayItem",
    "perdure_env",
    "perdure_sync_env",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_pyfunc_call",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("perdure", "workflows")
    group.addoption(
        "--perdure-replay",
        metavar="DIR",
        action="append",
        default=[],
        help="replay every exported history in DIR with today's workflows, each as a test",
    )
    parser.addini(
        "perdure_workflows",
        "modules whose workflows --perdure-replay replays histories with",
        type="args",
        default=[],
    )


@pytest.fixture
def perdure_env() -> Iterator[WorkflowEnvironment]:
    """A `WorkflowEnvironment` whose time skips, for `async def` tests.

    It belongs to no loop before a worker is started in it: every async runner may use it. Where
    none is installed, the plugin runs an `async def` test that asks for this fixture itself.
    """
    from perdure.testing._environment import WorkflowEnvironment

    env = WorkflowEnvironment.new("default", skips_time=True)
    yield env
    env.remove()


@pytest.fixture
def perdure_sync_env() -> Iterator[SyncWorkflowEnvironment]:
    """The same for tests that are not async, with a `SyncClient`."""
    from perdure.testing._sync_environment import SyncWorkflowEnvironment

    with SyncWorkflowEnvironment.start_time_skipping() as env:
        yield env


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` test of `perdure_env` that no other plugin has made its own."""
    test: Any = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test) or "perdure_env" not in pyfuncitem.fixturenames:
        return None
    names = inspect.signature(test).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    asyncio.run(cast("Coroutine[Any, Any, None]", test(**arguments)))
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Adds one test for each history, before `-k` chooses among all.

    Raises:
        pytest.UsageError: There is no such folder, no history in it, or no workflow to replay with.
    """
    folders = cast("Sequence[str]", config.getoption("--perdure-replay"))
    if not folders:
        return
    from perdure.errors import PerdureError
    from perdure.testing._history import find_histories

    try:
        replayer = _replayer(cast("Sequence[str]", config.getini("perdure_workflows")))
        for folder in folders:
            histories = list(find_histories(Path(folder)))
            if not histories:
                # A green light for nothing would be a false one.
                raise pytest.UsageError(f"--perdure-replay: there are no histories in {folder}")
            items.extend(ReplayItem.of(session, history, replayer) for history in histories)
    except PerdureError as error:
        raise pytest.UsageError(f"--perdure-replay: {error}") from error


class ReplayItem(pytest.Item):
    """The replay of one history."""

    history: WorkflowHistory
    replayer: Replayer

    @classmethod
    def of(
        cls, session: pytest.Session, history: WorkflowHistory, replayer: Replayer
    ) -> ReplayItem:
        """The test of a history, named after its workflow and its file."""
        place = Path(history.source.path).name or history.run_id
        name = f"replay[{history.workflow_type or 'unreadable'}-{place}]"
        item = cast("ReplayItem", cast("Any", cls).from_parent(session, name=name))
        item.history = history
        item.replayer = replayer
        return item

    def runtest(self) -> None:
        """Replays it.

        Raises:
            PerdureError: Today's code does not fit.
        """
        asyncio.run(self.replayer.replay_workflow(self.history))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The reason, as `perdure replay` gives it."""
        del style
        return str(excinfo.value)

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where it comes from."""
        return self.history.source.path, None, self.name


def _replayer(modules: Sequence[str]) -> Replayer:
    from perdure.testing._modules import workflows_of
    from perdure.testing._replayer import Replayer

    try:
        found = workflows_of(modules)
    except ImportError as error:
        raise pytest.UsageError(f"perdure_workflows: {error}") from error
    if not found:
        raise pytest.UsageError(
            "--perdure-replay: with which workflows? Name their modules in the option "
            "perdure_workflows of pytest's configuration"
        )
    return Replayer(workflows=list(found.values()), processes=1)
