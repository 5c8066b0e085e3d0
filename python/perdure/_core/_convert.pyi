"""Payloads and failures: `core_rs/py/src/convert`, `failure.rs`."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, final

_Fields: TypeAlias = Sequence[tuple[str, Shape, bool]]

@final
class Shape:
    """What a value should look like; type hints are compiled into it."""

    @staticmethod
    def simple(name: str) -> Shape:
        """`any`, `none`, `bool`, `int`, `float`, `str`, `bytes`, `datetime`, `timedelta`,
        `decimal` or `uuid`."""
    @staticmethod
    def list(item: Shape) -> Shape:
        """`list[item]`."""
    @staticmethod
    def collection(class_: type, item: Shape, /) -> Shape:
        """A class called with a list of items."""
    @staticmethod
    def tuple(items: Sequence[Shape]) -> Shape:
        """`tuple[…]` of fixed length."""
    @staticmethod
    def map(value: Shape) -> Shape:
        """`dict[str, value]`."""
    @staticmethod
    def record(class_: type, fields: _Fields, /) -> Shape:
        """A class with named fields: name, shape, whether it has no default."""
    @staticmethod
    def optional(inner: Shape) -> Shape:
        """`inner | None`."""
    @staticmethod
    def union(alternatives: Sequence[Shape]) -> Shape:
        """`A | B | …`: the first that fits."""
    @staticmethod
    def call(function: Callable[[Any], Any], inner: Shape) -> Shape:
        """What the function makes of the inner value."""
    @staticmethod
    def deferred() -> Shape:
        """A shape to be resolved later."""
    def resolve(self, shape: Shape) -> None:
        """Resolves a deferred shape, once."""

@final
class Failure:
    """A recorded failure, as fields."""

    @staticmethod
    def application(
        message: str,
        *,
        type_name: str,
        stack: str = "",
        details: bytes | None = None,
        non_retryable: bool = False,
        next_retry_delay_us: int | None = None,
        cause: Failure | None = None,
    ) -> Failure:
        """Raised by user code."""
    @staticmethod
    def timeout(
        message: str,
        *,
        kind: str,
        last_heartbeat_details: bytes | None = None,
        cause: Failure | None = None,
    ) -> Failure:
        """One of the timeouts passed."""
    @staticmethod
    def cancelled(
        message: str, *, details: bytes | None = None, cause: Failure | None = None
    ) -> Failure:
        """Cancelled from outside the awaiting code."""
    @staticmethod
    def terminated(message: str, *, cause: Failure | None = None) -> Failure:
        """The run was ended from outside."""
    @staticmethod
    def activity(
        message: str,
        *,
        activity: str,
        service: str | None = None,
        attempt: int,
        retry_state: str,
        cause: Failure | None = None,
    ) -> Failure:
        """An activity failed for good."""
    @staticmethod
    def child_workflow(
        message: str,
        *,
        workflow_type: str,
        workflow_id: str,
        run_id: str,
        cause: Failure | None = None,
    ) -> Failure:
        """A child workflow did not complete."""
    @property
    def child_run(self) -> tuple[str, str, str] | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def stack(self) -> str: ...
    @property
    def cause(self) -> Failure | None: ...
    @property
    def type_name(self) -> str: ...
    @property
    def details(self) -> bytes | None: ...
    @property
    def non_retryable(self) -> bool: ...
    @property
    def next_retry_delay_us(self) -> int | None: ...
    @property
    def timeout_kind(self) -> str: ...
    @property
    def activity_call(self) -> tuple[str, str | None, int, str] | None: ...

def encode(value: Any) -> bytes:
    """Encodes one value.

    Raises:
        EncodeError: It cannot travel; the error has the path.
    """

def decode(data: bytes, shape: Shape) -> Any:
    """Decodes exactly one value of the shape.

    Raises:
        DecodeError: It does not fit; the error has the path.
    """

def set_class_hook(function: Callable[[type[Any]], Callable[[Any], Any] | None]) -> None:
    """Sets the function that is asked once about each class; the first stays.

    It gives a function from objects of the class to plain values, or None.
    """
