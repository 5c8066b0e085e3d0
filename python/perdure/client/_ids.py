"""Ids that a client makes, so that a repeated message is the same message."""

from __future__ import annotations

import os
import time
import uuid

__all__ = ["new_message_id", "new_run", "new_seed"]

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


def new_run() -> uuid.UUID:
    """A UUIDv7 (RFC 9562, section 5.7): milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = int.from_bytes(os.urandom(10), "big")
    high = (random_bits >> 62) & 0xFFF
    low = random_bits & ((1 << 62) - 1)
    return uuid.UUID(int=milliseconds << 80 | _VERSION | high << 64 | _VARIANT | low)


def new_message_id() -> str:
    """A random text, unique for the run's life."""
    return uuid.uuid4().hex


def new_seed() -> int:
    """The seed of a run's random streams."""
    return int.from_bytes(os.urandom(8), "big")
