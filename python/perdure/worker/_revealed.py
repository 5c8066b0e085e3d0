"""What an attempt has revealed of secrets, and keeps out of everything that leaves it."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, Any, cast

from perdure._core import decode, encode
from perdure.activity._context import running_context
from perdure.convert import failure_fields, failure_from_fields, failure_of, shape_of
from perdure.errors import ApplicationError, SecretNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

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
        """Takes values out of a line of the log, and out of the traceback with it."""
        try:
            message = record.getMessage()
        except Exception:
            # Wrong arguments: the handler says so.
            return
        if self.redact(message) != message:
            record.msg, record.args = self.redact(message), None
        if record.exc_info:
            text = "".join(traceback.format_exception(*record.exc_info))
            if self.redact(text) != text:
                record.exc_text, record.exc_info = self.redact(text).rstrip(), None

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
            case str():
                return self.redact(value)
            case bytes():
                held = any(secret in value for secret in self._values.values())
                return b"[secret]" if held else value
            case list():
                return [self._redacted(each) for each in cast("list[Any]", value)]
            case dict():
                entries = cast("dict[str, Any]", value)
                return {self.redact(key): self._redacted(each) for key, each in entries.items()}
            case _:
                return value


_is_guarded = False


def _guard_logging() -> None:
    """From the first secret on, lines that activities log pass by what they have revealed."""
    global _is_guarded  # noqa: PLW0603 - once a process
    if _is_guarded:
        return
    _is_guarded = True
    make: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()

    def make_redacted(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = make(*arguments, **options)
        revealed = getattr(running_context(), "revealed", None)
        if isinstance(revealed, Revealed):
            revealed.redact_record(record)
        return record

    logging.setLogRecordFactory(make_redacted)
