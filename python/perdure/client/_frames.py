"""Live traffic between processes: length-prefixed MessagePack maps over a Unix socket."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import ServerError

if TYPE_CHECKING:
    import asyncio

__all__ = ["read_frame", "write_frame"]

_PREFIX = struct.Struct(">I")
_MAXIMUM_BYTES = 128 * 1024 * 1024
_MAP = shape_of(dict[str, Any])


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next map; None at the end of the stream.

    Raises:
        ServerError: Not such a stream.
    """
    prefix = await reader.read(_PREFIX.size)
    while prefix and len(prefix) < _PREFIX.size:
        more = await reader.read(_PREFIX.size - len(prefix))
        if not more:
            return None
        prefix += more
    if not prefix:
        return None
    (length,) = _PREFIX.unpack(prefix)
    if length > _MAXIMUM_BYTES:
        raise ServerError(f"a frame of {length} bytes: the other side speaks another protocol")
    frame: dict[str, Any] = decode(await reader.readexactly(length), _MAP)
    return frame


def write_frame(writer: asyncio.StreamWriter, frame: dict[str, Any]) -> None:
    """Queues one map for sending."""
    data = encode(frame)
    writer.write(_PREFIX.pack(len(data)) + data)
