"""What `Client.connect` is given."""

from __future__ import annotations

from pathlib import Path

__all__ = ["store_path"]


def store_path(target: str) -> Path:
    """The file of a `file:` address; a plain path is one too.

    Raises:
        ValueError: Another scheme.
    """
    scheme, colon, rest = target.partition(":")
    if colon and scheme != "file":
        raise ValueError(f"{target!r}: only file: addresses are known, such as file:app.db")
    path = Path(rest if colon else target).expanduser()
    if not path.name:
        raise ValueError(f"{target!r} names no file: write file:app.db")
    return path.absolute()
