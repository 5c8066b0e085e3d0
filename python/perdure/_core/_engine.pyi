"""The engine's runtime: `core_rs/py/src/engine`."""

import builtins
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from perdure._core._convert import Failure
from perdure._core._instance import InstanceCore, RecordedHistory
from perdure.converter._stack import CodecStack
from perdure.errors import StoreError

@final
class ActivityTask:
    """One attempt of one local activity; its reports may come from any thread."""

    @property
    def id(self) -> str: ...
    @property
    def token(self) -> bytes:
        """What names the attempt to those who complete it from elsewhere."""
    @property
    def attempt(self) -> int: ...
    @property
    def activity(self) -> str: ...
    @property
    def task_queue(self) -> str: ...
    @property
    def version(self) -> str | None:
        """The version of the workers that may run it; None for any."""
    @property
    def asked_by(self) -> tuple[str, str, str, str]:
        """The run that asked: namespace, workflow id, workflow type, run id."""
    @property
    def keys(self) -> tuple[str, int]:
        """The idempotency key, and the fencing token."""
    @property
    def scheduled_at_us(self) -> int: ...
    @property
    def deadline_us(self) -> int | None: ...
    @property
    def heartbeat_timeout_us(self) -> int | None: ...
    @property
    def heartbeat_details(self) -> bytes | None: ...
    @property
    def last_failure(self) -> Failure | None: ...
    @property
    def headers(self) -> list[tuple[str, str]]: ...
    @property
    def arguments(self) -> bytes: ...
    def heartbeat(self, details: bytes | None = None) -> None: ...
    def fail(self, failure: Failure) -> None: ...
    def cancelled(self) -> None: ...
    def detached(self) -> None: ...
    def not_started(self, reason: str) -> None: ...

@final
class Turn:
    """A run to step."""

    @property
    def run(self) -> bytes: ...
    @property
    def run_id(self) -> str: ...
    @property
    def now_us(self) -> int: ...
    @property
    def replay(self) -> bool: ...
    @property
    def version(self) -> str | None:
        """The version of the workers whose code steps it; None if they say none."""

@final
class Reply:
    """The engine's answer to a client."""

    @property
    def kind(self) -> str: ...
    @property
    def run_id(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @property
    def next_run_id(self) -> str | None: ...
    @property
    def result(self) -> bytes | None: ...
    @property
    def failure(self) -> Failure | None: ...
    @property
    def park_reason(self) -> tuple[str, str, str] | None: ...
    @property
    def refusal(self) -> str: ...

@final
class Work:
    """What only the host can do; each list is taken once."""

    @property
    def is_idle(self) -> bool: ...
    @property
    def commit_inline(self) -> bool: ...
    @property
    def more(self) -> bool: ...
    @property
    def wake_after_s(self) -> float | None: ...
    @property
    def stopped(self) -> StoreError | None: ...
    def queries(self) -> list[tuple[int, bytes, str, bytes]]: ...
    def evictions(self) -> list[bytes]: ...
    def turns(self) -> list[Turn]: ...
    def tasks(self) -> list[ActivityTask]: ...
    def cancels(self) -> list[tuple[str, str]]: ...
    def replies(self) -> list[tuple[int, Reply]]: ...

@final
class EngineHost:
    """An engine that owns a store; all methods are called from one thread."""

    @staticmethod
    def open(
        path: Path,
        *,
        namespace: str,
        standby_s: float | None,
        maximum_cached_runs: int,
        retention_s: int | None,
        seed: int,
        language: str,
        clock: SkippingClock | None = None,
        codec: CodecStack | None = None,
    ) -> EngineHost:
        """Opens the store as its owner. `standby_s`: None waits for ever, 0 refuses.

        Raises:
            StoreOwnedError: Another engine owns it.
            StoreDamagedError: It is no store that this version can go on with.
            StoreError: The operating system refused.
        """
    @property
    def socket_path(self) -> str: ...
    def fileno(self) -> int: ...
    def pump(self) -> Work: ...
    def commit_inline(self) -> None: ...
    def skip_time(self, until_us: int | None, waiting_tasks: int) -> str: ...
    def pass_time(self, elapsed_us: int) -> bool: ...
    def read_inbox(self) -> None: ...
    def set_hosted(
        self,
        queues: Sequence[
            tuple[
                str,
                Sequence[str],
                int,
                int,
                float | None,
                Sequence[tuple[str, int]],
                tuple[tuple[str, str] | None, Sequence[str]],
            ]
        ],
        services: Sequence[tuple[str, int]],
    ) -> None: ...
    def begin_turn(self, turn: Turn, instance: InstanceCore) -> None: ...
    def end_turn(self, turn: Turn, instance: InstanceCore) -> None: ...
    def park(
        self,
        turn: Turn,
        instance: InstanceCore | None,
        *,
        code: str,
        message: str,
        traceback: str,
        code_hash: int,
    ) -> None: ...
    def send(self, kind: str, message_id: str, reply_to: int | None, **fields: Any) -> None: ...
    def complete(self, task: ActivityTask, value: Any) -> None: ...
    def pending_activities(
        self, run: bytes
    ) -> list[tuple[int, str | None, str | None, int, str, str | None]] | None: ...
    def start_stdio(self, commands: Sequence[tuple[Any, ...]]) -> None: ...
    def connect_nats(self, **address: Any) -> None: ...
    def reopen(self) -> None: ...
    def drain(self) -> None: ...
    def close(self) -> None: ...

@final
class SkippingClock:
    """A clock that stands still until it is moved; it outlives the engines that follow it."""

    def __new__(cls) -> SkippingClock: ...
    @property
    def now_us(self) -> int: ...
    def advance_to(self, now_us: int) -> None: ...
    def hold(self) -> None: ...
    def release(self) -> None: ...

@final
class StoreReader:
    """Reads a store that another process may own."""

    def __new__(cls, path: Path, codec: CodecStack | None = None) -> StoreReader: ...
    def describe(self, run: bytes) -> dict[str, Any] | None: ...
    def has_consumed(self, run: bytes, message_id: str) -> bool: ...
    def list(
        self,
        *,
        namespace: str | None = None,
        workflow_id: str | None = None,
        workflow_type: str | None = None,
        status: str | None = None,
        before: bytes | None = None,
        limit: int = 0,
    ) -> list[dict[str, Any]]: ...
    def search(
        self,
        query: str,
        names: tuple[str | None, str | None, str | None, str | None],
        *,
        namespace: str | None = None,
        after: SearchPlace | None = None,
        limit: int = 0,
    ) -> tuple[builtins.list[dict[str, Any]], SearchPlace | None]:
        """A page of runs of these ids, types and status, and where the next one begins.

        Raises:
            InvalidQueryError: It is no query.
        """
    def count(
        self,
        query: str,
        names: tuple[str | None, str | None, str | None, str | None],
        *,
        namespace: str | None = None,
    ) -> int: ...
    def open_by_type(self, namespace: str) -> builtins.list[tuple[str, int]]: ...
    def open_by_value(
        self, namespace: str, attribute: str
    ) -> builtins.list[tuple[str, str, int]]: ...
    def outcome(self, run: bytes) -> Reply | None: ...
    def check_pages(self) -> None: ...
    def check_history(self, run: bytes) -> None: ...
    def history(self, run: bytes) -> str: ...
    def stored_size(self, run: bytes) -> tuple[int, int, int, int] | None: ...
    def recorded(self, run: bytes) -> RecordedHistory: ...

@final
class SearchPlace:
    """The place in the order of a search after which a page begins."""

@final
class StoreInbox:
    """Leaves messages for whatever engine owns the store, now or later."""

    def __new__(cls, path: Path, codec: CodecStack | None = None) -> StoreInbox: ...
    def post(self, kind: str, message_id: str, now_us: int, **fields: Any) -> bool: ...

@final
class NatsChild:
    """A nats-server of one's own."""

    def __new__(cls, program: Path | str, directory: Path, token: str) -> NatsChild: ...
    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...
    def stop(self) -> None: ...

def check_query(query: str) -> None:
    """Looks whether a text is a query.

    Raises:
        InvalidQueryError: It is none.
    """

def owner_socket(path: Path) -> tuple[int, str] | None:
    """Process and socket of the engine that owns a store, if one runs."""

def call_of(task: ActivityTask) -> tuple[bytes, int, bool, int | None]:
    """The call behind a task: the run, the number of its command, whether it is a local activity,
    whose code the instance has, and its session (0 in what begins one)."""

def task_queues(
    host: EngineHost,
) -> list[
    tuple[str, bool, bool, int, int, float | None, list[tuple[int, int]], list[tuple[str, int]]]
]:
    """The task queues and services of an engine: name, whether it is a service, whether anybody
    serves it, slots, attempts that run, most that begin in a second, attempts in line by priority
    key, and by what they wait for.
    """
