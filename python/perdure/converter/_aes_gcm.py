"""Encryption with AES-GCM, and keys that can be changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from perdure.converter._codec import PayloadCodec
from perdure.errors import PayloadCodecError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["AesGcmCodec"]

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = (16, 24, 32)
_ID_BYTES_MAX = 100


class AesGcmCodec(PayloadCodec):
    """Encrypts every payload with the current key; decrypts with whichever key it was encrypted.

    Needs `pip install "perdure[encryption]"`. To change keys, add the new one everywhere, then
    make it the current one, and keep the old ones as long as runs that were written with them.

    A payload is `[version, id length, key id, nonce, ciphertext and tag]`. The nonce is random: a
    key is good for some 4 billion payloads. Version and id are authenticated with it, the run is
    not, since payloads go over to other runs: by continue-as-new, retry, reset or fork.

    Args:
        keys: 16, 24 or 32 random bytes by id. The ids are stored in plain text.
        current: The id of the key that encrypts.

    Raises:
        ImportError: `cryptography` is not installed.
        ValueError: A key or an id has the wrong length, or there is no current key.
    """

    name = "aes-gcm"

    def __init__(self, keys: Mapping[str, bytes], *, current: str) -> None:
        cipher = _cipher()
        if current not in keys:
            raise ValueError(f"the current key {current!r} is not among {sorted(keys)}")
        self._ciphers: dict[str, AESGCM] = {}
        for key_id, key in keys.items():
            if len(key) not in _KEY_BYTES:
                raise ValueError(f"the key {key_id!r} has {len(key)} bytes; AES takes 16, 24 or 32")
            if not 0 < len(key_id.encode()) <= _ID_BYTES_MAX:
                raise ValueError(f"the id of a key has 1 to {_ID_BYTES_MAX} bytes: {key_id!r}")
            self._ciphers[key_id] = cipher(key)
        self._current = current

    @property
    def note(self) -> str:
        """The id of the current key."""
        return f"key {self._current}"

    def encode(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Encrypts each with a nonce of its own."""
        cipher, head = self._ciphers[self._current], _head(self._current)
        return [self._encrypted(cipher, head, payload) for payload in payloads]

    def decode(self, payloads: Sequence[bytes]) -> list[bytes]:
        """Decrypts each with the key that it names.

        Raises:
            PayloadCodecError: There is no such key, or it was altered.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, cipher: AESGCM, head: bytes, payload: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return head + nonce + cipher.encrypt(nonce, payload, head)

    def _decrypted(self, payload: bytes) -> bytes:
        if len(payload) < 2 or payload[0] != _VERSION:
            raise PayloadCodecError("no payload of this version of aes-gcm")
        end = 2 + payload[1]
        head, nonce, text = payload[:end], payload[end : end + _NONCE_BYTES], end + _NONCE_BYTES
        if len(payload) < text + _TAG_BYTES:
            raise PayloadCodecError("the payload is truncated")
        key_id = head[2:].decode(errors="replace")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            known = ", ".join(sorted(self._ciphers))
            raise PayloadCodecError(f"there is no key {key_id!r} here, only: {known}")
        try:
            return cipher.decrypt(nonce, payload[text:], head)
        except _invalid_tag() as error:
            raise PayloadCodecError(
                f"the payload is not what was encrypted with the key {key_id!r}: the key is "
                "another one, or the payload was altered"
            ) from error

    def __repr__(self) -> str:
        return f"AesGcmCodec(keys={sorted(self._ciphers)}, current={self._current!r})"


def _head(key_id: str) -> bytes:
    data = key_id.encode()
    return bytes((_VERSION, len(data))) + data


def _cipher() -> type[AESGCM]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ImportError(
            'AesGcmCodec needs cryptography: pip install "perdure[encryption]"'
        ) from error
    return AESGCM


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag

    return InvalidTag
