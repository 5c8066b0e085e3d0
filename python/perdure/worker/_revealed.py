"""What an attempt has revealed of secrets, and keeps out of everything that leaves it."""

from __future__ import annotations

import contextlib
import logging
import traceback
from typing import TYPE_CHECKING, Any, cast

from perdure._core import decode, encode
from perdure.activity._context import running_context
from perdure.convert import failure_fields, failure_from_fields, failure_of, shape_of
from perdure.errors import ApplicationError, SecretNotFoundError

if TYPE_CHECKING:
    from perdure._core import Failure
    from perdure.secrets import SecretProvider

__all__ = ["Revealed"]

_GUARDED_BYTES_MIN = 8
"""Shorter values are found by chance in what has nothing to do with them."""

_TEXTS = ("message", "stack", "type_name")


class Revealed:
    """The secrets that one attempt knows."""

    def __init__(self, provider: SecretProvider) -> None:
        self._provider = provider
        self._values: dict[str, bytes] = {}

    def reveal(self, name: str) -> str | bytes:
        """The value of a secret, which is looked for from now on in what the attempt says.

        Raises:
            SecretNotFoundError: The provider has none of that name.
        """
        value = self._provider.get(name)
        if value is None:
            raise SecretNotFoundError(name)
        data = value.encode() if isinstance(value, str) else value
        if len(data) >= _GUARDED_BYTES_MIN:
            self._values[name] = data
            _guard_logging()
        return value

    def encode(self, what: str, value: Any) -> bytes:
        """A value that leaves the attempt.

        Raises:
            ApplicationError: It holds a secret. The error names it, and is not retryable.
            EncodeError: It cannot travel.
        """
        data = encode(value)
        for name, secret in self._values.items():
            if secret in data:
                raise ApplicationError(
                    f"{what} holds the value of the secret {name!r}, and would be recorded: give "
                    "back something else",
                    type="SecretLeak",
                    non_retryable=True,
                )
        return data

    def failure_of(self, error: BaseException) -> Failure:
        """What is recorded of an error, with names in place of values."""
        failure = failure_of(error)
        if not self._values:
            return failure
        return failure_from_fields(self._redacted_fields(failure_fields(failure)))

    def redact(self, text: str) -> str:
        """The text, with names in place of values."""
        for name, secret in self._values.items():
            value = secret.decode(errors="replace")
            # As it is written in a message, and as `repr` of it is.
            for form in (value, repr(value)[1:-1], repr(secret)[2:-1]):
                text = text.replace(form, f"[secret {name}]")
        return text

    def redact_record(self, record: logging.LogRecord) -> None:
        """Takes values out of a line of the log, and out of all that is attached to it."""
        # Of wrong arguments the handler complains, and shows them.
        with contextlib.suppress(Exception):
            message = record.getMessage()
            if self.redact(message) != message:
                record.msg, record.args = self.redact(message), None
        if record.exc_info:
            text = "".join(traceback.format_exception(*record.exc_info))
            if self.redact(text) != text:
                record.exc_text, record.exc_info = self.redact(text).rstrip(), None
        attached = vars(record)
        for name, value in list(attached.items()):
            if name == "exc_info":
                continue
            try:
                attached[name] = self._redacted(value)
            except RecursionError:
                # It holds itself, which `repr` can show.
                attached[name] = self.redact(repr(value))

    def redact_error(self, error: Exception) -> Exception:
        """The error with names in place of values, in itself and in those behind it; an
        `ApplicationError` instead of one that cannot be changed.
        """
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            each = waiting.pop()
            if each is None or id(each) in seen:
                continue
            seen.add(id(each))
            each.args = tuple(self._redacted(value) for value in each.args)
            vars(each).update({name: self._redacted(value) for name, value in vars(each).items()})
            waiting += [each.__cause__, each.__context__]
        text = str(error)
        if self.redact(text) == text:
            return error
        return ApplicationError(self.redact(text), type=type(error).__name__)

    def _redacted_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        redacted = fields | {
            name: self.redact(fields[name]) for name in _TEXTS if fields[name] is not None
        }
        details: bytes | None = fields["details"]
        if details is not None and any(value in details for value in self._values.values()):
            redacted["details"] = encode(self._redacted(decode(details, shape_of(Any))))
        cause: dict[str, Any] | None = fields["cause"]
        redacted["cause"] = None if cause is None else self._redacted_fields(cause)
        return redacted

    def _redacted(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.redact(value)
            case bytes():
                held = any(secret in value for secret in self._values.values())
                return b"[secret]" if held else value
            case list():
                return [self._redacted(each) for each in cast("list[Any]", value)]
            case tuple():
                entries = cast("tuple[Any, ...]", value)
                redacted = tuple(self._redacted(each) for each in entries)
                return entries if redacted == entries else redacted
            case dict():
                items = cast("dict[Any, Any]", value).items()
                return {self._redacted(key): self._redacted(each) for key, each in items}
            case _:
                return self._redacted_other(value)

    def _redacted_other(self, value: Any) -> Any:
        """Itself, or its text if that holds a value."""
        try:
            text = str(value)
        except Exception:
            return value
        redacted = self.redact(text)
        return value if redacted == text else redacted


_is_guarded = False


def _guard_logging() -> None:
    """From the first secret on, lines that activities log pass by what they have revealed."""
    global _is_guarded  # noqa: PLW0603 - once a process
    if _is_guarded:
        return
    _is_guarded = True
    # A factory of records would not do: `extra` is attached after it, and an application may set
    # another one.
    handle = logging.Logger.handle

    def handle_redacted(logger: logging.Logger, record: logging.LogRecord) -> None:
        revealed = getattr(running_context(), "revealed", None)
        if isinstance(revealed, Revealed):
            revealed.redact_record(record)
        handle(logger, record)

    logging.Logger.handle = handle_redacted  # type: ignore[assignment]
