"""Compression with what every Python has."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from perdure.converter._codec import PayloadCodec

__all__ = ["ZlibCodec"]


class ZlibCodec(PayloadCodec):
    """Compresses payloads that are worth it.

    Args:
        threshold: From how many bytes on; 1,024 by default. A payload that would not become
            smaller stays as it is.
        level: From 1, fast, to 9, small; 6 by default.

    Raises:
        ValueError: No such threshold, or no such level.
    """

    name = "zlib"

    def __init__(self, *, threshold: int = 1_024, level: int = 6) -> None:
        if threshold < 0:
            raise ValueError(f"a threshold is not negative, and this is {threshold}")
        if not 1 <= level <= 9:
            raise ValueError(f"a level is from 1 to 9, and this is {level}")
        self._threshold = threshold
        self._level = level

    def encode(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Compresses those that are long enough."""
        return [self._compressed(payload) for payload in payloads]

    def decode(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Decompresses.

        Raises:
            zlib.error: One is damaged.
        """
        return [zlib.decompress(payload) for payload in payloads]

    def _compressed(self, payload: bytes) -> bytes:
        if len(payload) < self._threshold:
            return payload
        compressed = zlib.compress(payload, self._level)
        return compressed if len(compressed) < len(payload) else payload

    def __repr__(self) -> str:
        return f"ZlibCodec(threshold={self._threshold}, level={self._level})"
