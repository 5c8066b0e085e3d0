"""The native core. Only `instance/`, `worker/`, `client/` and `convert/` import it."""

from perdure._core._native import Failure, Shape, decode, encode, set_fallback

__all__ = ["Failure", "Shape", "decode", "encode", "set_fallback"]
