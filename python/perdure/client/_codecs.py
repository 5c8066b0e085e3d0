"""The payload codecs that this process has for its stores, and what travels between processes.

Payloads are encoded before they leave a process, for the disk or for the socket: whoever listens
there without the codec learns what is encoded with which key, and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

from perdure._core import decode_history
from perdure.converter import DataConverter
from perdure.converter._frame import is_encoded
from perdure.converter._stack import CodecStack

__all__ = ["codec_of", "decoded_fields", "decoded_history", "encoded_fields", "set_codec"]

Change: TypeAlias = Callable[[list[bytes]], list[bytes]]

_codecs: dict[Path, CodecStack] = {}
"""By the file of the store: one engine writes it, with one codec."""

_PAYLOADS = ("arguments", "result", "results", "details")
"""How fields of messages and answers end that are payloads, or lists of them; besides them, memos
and failures.
"""


def set_codec(path: Path, converter: DataConverter | None) -> None:
    """From now on this process reads and writes the store with the converter's codec."""
    codec = CodecStack.of(converter)
    if codec is not None:
        _codecs[path] = codec


def codec_of(path: Path) -> CodecStack | None:
    """The codec with which this process reads and writes a store."""
    return _codecs.get(path)


def encoded_fields(codec: CodecStack | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a message or an answer, as they may leave the process.

    Raises:
        Exception: Whatever the codec raises: nothing is to be sent then.
    """
    return fields if codec is None else _changed(fields, _unless(codec.encode, encoded=True))


def decoded_fields(codec: CodecStack | None, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as they were before `encoded_fields`, as far as the codec can decode them."""
    return fields if codec is None else _changed(fields, _unless(codec.decode, encoded=False))


def decoded_history(history: str, converter: DataConverter | None) -> str:
    """An exported history as it was before the converter's codec, as far as that can decode it.

    Raises:
        StoreDamagedError: A line is wrong.
    """
    codec = CodecStack.of(converter)
    return history if codec is None else decode_history(history, codec)


def _unless(change: Change, *, encoded: bool) -> Callable[[bytes], bytes]:
    def changed(payload: bytes) -> bytes:
        return payload if is_encoded(payload) is encoded else change([payload])[0]

    return changed


def _changed(fields: dict[str, Any], change: Callable[[bytes], bytes]) -> dict[str, Any]:
    changed = dict(fields)
    for name, payload in fields.items():
        if not name.endswith(_PAYLOADS):
            continue
        if isinstance(payload, bytes):
            changed[name] = change(payload)
        elif isinstance(payload, list):
            changed[name] = [change(each) for each in cast("list[bytes]", payload)]
    memo = changed.get("memo")
    if isinstance(memo, dict):
        entries = cast("dict[str, bytes]", memo)
        changed["memo"] = {key: change(value) for key, value in entries.items()}
    for name in ("failure", "cause"):
        failure = changed.get(name)
        if isinstance(failure, dict):
            changed[name] = _changed(cast("dict[str, Any]", failure), change)
    return changed
