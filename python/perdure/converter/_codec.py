"""What a payload codec is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

__all__ = ["ChainCodec", "PayloadCodec"]


class PayloadCodec(ABC):
    """Changes payloads on their way to the store, and back: compresses them, or encrypts them.

    Both directions are plain functions, since a write waits for them: they compute, and never ask
    another machine. Keys are fetched before, when the codec is made. They may be called from any
    thread.
    """

    name: str
    """Stored with each payload, so that whoever reads it knows the codec: never change it."""

    @property
    def note(self) -> str:
        """Stored too, readable by everybody, such as which key; `""` by default."""
        return ""

    @abstractmethod
    def encode(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """The stored form of each, in order. One that is given back as it is stays unmarked.

        Raises:
            Exception: It cannot; nothing is written then, and the worker stops.
        """

    @abstractmethod
    def decode(self, payloads: Sequence[bytes]) -> Sequence[bytes]:
        """What `encode` got for each of these, in order; all are of this codec.

        Raises:
            Exception: It cannot; the run that needs one of them is parked.
        """


class ChainCodec:
    """Several codecs, one after the other: compress first, then encrypt.

    Args:
        *codecs: In the order in which they encode. Payloads that were stored with fewer of them,
            or with other keys, are still decoded.

    Raises:
        ValueError: Two have the same name.
    """

    def __init__(self, *codecs: PayloadCodec) -> None:
        names = [codec.name for codec in codecs]
        if len(set(names)) < len(names):
            raise ValueError(f"two codecs of one chain have the same name: {names}")
        self.codecs = codecs

    def __repr__(self) -> str:
        return f"ChainCodec({', '.join(map(repr, self.codecs))})"
