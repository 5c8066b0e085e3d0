"""How a program converts its values."""

from __future__ import annotations

from dataclasses import dataclass

from perdure.converter._codec import ChainCodec, PayloadCodec
from perdure.converter._payload_converter import PayloadConverter

__all__ = ["DataConverter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConverter:
    """What a client does with values before they are stored; workers do as their client does."""

    payload_converter: PayloadConverter | None = None
    """Says how objects of some classes travel; nothing by default, since most classes need none.
    It is the whole process's, as what `register_type` says is.
    """

    payload_codec: PayloadCodec | ChainCodec | None = None
    """Changes the stored bytes, such as `AesGcmCodec`; nothing by default."""
