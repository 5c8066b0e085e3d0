"""The codecs of a data converter as the engine calls them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from perdure.converter._codec import ChainCodec, PayloadCodec
from perdure.converter._data_converter import DataConverter
from perdure.converter._frame import framed, is_encoded, unframed
from perdure.errors import PayloadCodecError

__all__ = ["CodecStack"]

logger = logging.getLogger("perdure.converter")

_REPORTS_MAX = 100
"""Distinct reasons that are logged: what no key opens may be many payloads."""


class CodecStack:
    """Marks what it encodes with the codec's name; decodes whatever its codecs know."""

    def __init__(self, codecs: Sequence[PayloadCodec]) -> None:
        self._codecs = tuple(codecs)
        self._by_name = {codec.name: codec for codec in codecs}
        self._reported: set[str] = set()

    @classmethod
    def of(cls, converter: DataConverter | None) -> CodecStack | None:
        """The codecs of a converter; None when it has none."""
        codec = None if converter is None else converter.payload_codec
        if codec is None:
            return None
        return cls(codec.codecs if isinstance(codec, ChainCodec) else (codec,))

    def encode(self, payloads: list[bytes]) -> list[bytes]:
        """The stored form of plain payloads.

        Raises:
            PayloadCodecError: A codec gives something else than one payload for each.
            Exception: Whatever a codec raises.
        """
        for codec in self._codecs:
            payloads = _encoded_by(codec, payloads)
        return payloads

    def decode(self, payloads: list[bytes]) -> list[bytes]:
        """The plain payloads; one that these codecs cannot decode is given back as it is."""
        try:
            decoded = self._decoded(payloads)
        except Exception:
            decoded = [self._decoded_or_kept(payload) for payload in payloads]
        # Half decoded would be stored with half of its codecs.
        return [
            kept if is_encoded(plain) else plain
            for kept, plain in zip(payloads, decoded, strict=True)
        ]

    def _decoded_or_kept(self, payload: bytes) -> bytes:
        try:
            return self._decoded([payload])[0]
        except Exception as error:
            self._report(payload, error)
            return payload

    def _decoded(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Takes off one codec after the other, many payloads at a time."""
        decoded = list(payloads)
        while True:
            waiting: dict[str, list[int]] = {}
            bodies: list[bytes] = []
            for place, payload in enumerate(decoded):
                frame = unframed(payload)
                bodies.append(b"" if frame is None else frame.body)
                if frame is not None and frame.name in self._by_name:
                    waiting.setdefault(frame.name, []).append(place)
            if not waiting:
                return decoded
            for name, places in waiting.items():
                codec = self._by_name[name]
                plain = _checked(codec, "decode", codec.decode([bodies[each] for each in places]))
                for place, value in zip(places, plain, strict=True):
                    decoded[place] = value

    def _report(self, payload: bytes, error: Exception) -> None:
        frame = unframed(payload)
        encoding = "?" if frame is None else f"{frame.name} {frame.note}".strip()
        text = f"{encoding}: {type(error).__name__}: {error}"
        if text not in self._reported and len(self._reported) < _REPORTS_MAX:
            self._reported.add(text)
            logger.error("a stored payload cannot be decoded: %s", text)


def _encoded_by(codec: PayloadCodec, payloads: list[bytes]) -> list[bytes]:
    note = codec.note
    encoded = _checked(codec, "encode", codec.encode(payloads))
    if len(encoded) != len(payloads):
        raise PayloadCodecError(
            f"the codec {codec.name} gave {len(encoded)} payloads for {len(payloads)}"
        )
    return [
        before if after == before else framed(codec.name, note, after)
        for before, after in zip(payloads, encoded, strict=True)
    ]


def _checked(codec: PayloadCodec, verb: str, payloads: Sequence[object]) -> list[bytes]:
    checked = [each for each in payloads if isinstance(each, bytes)]
    if len(checked) != len(payloads):
        raise PayloadCodecError(f"{verb} of the codec {codec.name} gives something else than bytes")
    return checked
