"""The mark of an encoded payload: which codec, and what it says of itself.

`[0xc1, version, name length, name, note length, note, body]`. No MessagePack value begins with
0xc1, so that a store may hold plain payloads and encoded ones side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["Frame", "encoding_of", "framed", "is_encoded", "unframed"]

_ENCODED = 0xC1
_VERSION = 1
_TEXT_BYTES_MAX = 255


class Frame(NamedTuple):
    """An encoded payload, taken apart."""

    name: str
    note: str
    body: bytes


def is_encoded(payload: bytes) -> bool:
    """Whether a codec has encoded it."""
    return payload[:1] == b"\xc1"


def framed(name: str, note: str, body: bytes) -> bytes:
    """An encoded payload.

    Raises:
        ValueError: Name or note are too long.
    """
    head = bytes((_ENCODED, _VERSION))
    return head + _short(name) + _short(note) + body


def unframed(payload: bytes) -> Frame | None:
    """The parts of an encoded payload; None when it is none that this version can read."""
    if payload[:2] != bytes((_ENCODED, _VERSION)):
        return None
    try:
        name, rest = _split(payload[2:])
        note, body = _split(rest)
    except (IndexError, UnicodeDecodeError):
        return None
    return Frame(name, note, body)


def encoding_of(payload: bytes | Mapping[str, Any]) -> str | None:
    """What a payload is encoded with, such as `aes-gcm, key 2026-11`; None when it is plain.

    Args:
        payload: Its bytes, or what an exported history says of it: `{"hex": "c101…"}`.
    """
    if isinstance(payload, Mapping):
        text = payload.get("hex")
        if not isinstance(text, str) or set(payload) != {"hex"}:
            return None
        payload = bytes.fromhex(text)
    if not is_encoded(payload):
        return None
    frame = unframed(payload)
    if frame is None:
        return "something that a newer version knows"
    return f"{frame.name}, {frame.note}" if frame.note else frame.name


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > _TEXT_BYTES_MAX:
        raise ValueError(f"{text[:40]!r}… has more than {_TEXT_BYTES_MAX} bytes")
    return bytes((len(data),)) + data


def _split(data: bytes) -> tuple[str, bytes]:
    end = 1 + data[0]
    if len(data) < end:
        raise IndexError(end)
    return data[1:end].decode(), data[end:]
