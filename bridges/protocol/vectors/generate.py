"""Writes the golden vectors of the bridge protocol beside this file.

The `msgpack` package is the oracle for MessagePack, `json_profile.py` beside this file is a second,
independent reading of the JSON profile. The output is deterministic:

    python generate.py           writes the files
    python generate.py --check   exits with 1 and names the files that differ
"""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import msgpack

from cases_frames import error_cases, frame_cases
from cases_nats import nats_cases
from cases_refused import refused_cases
from cases_values import value_cases
from json_profile import to_json

HERE = Path(__file__).parent


def pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, use_bin_type=True, strict_types=True)
    return packed


def framed(document: bytes) -> str:
    return (struct.pack(">I", len(document)) + document).hex()


def values() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for case in value_cases():
        entry = {"name": case.name, "json": to_json(case.value)}
        entry["msgpack_hex"] = pack(case.value).hex()
        entry["note"] = case.note
        entries.append(entry | case.extra)
    return entries


def frames() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for case in frame_cases():
        text = to_json(case.document)
        entry: dict[str, Any] = {"name": case.name, "direction": case.direction, "json": text}
        entry["json_frame_hex"] = framed(text.encode())
        if case.document.get("frame") not in ("hello", "welcome"):
            entry["msgpack_frame_hex"] = framed(pack(case.document))
        entries.append(entry | case.extra)
    return entries


def nats() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for case in nats_cases():
        entry: dict[str, Any] = {"name": case.name, "subject": case.subject}
        entry["headers"] = case.headers
        if case.body is None:
            entry["body_text"] = ""
        elif case.headers.get("Content-Type") == "application/msgpack":
            entry["body_hex"] = pack(case.body.value).hex()
        else:
            entry["body_text"] = to_json(case.body.value)
        if case.frame is not None:
            entry["frame"] = to_json(case.frame)
        entries.append(entry | case.extra)
    return entries


def errors() -> list[dict[str, Any]]:
    return [
        {"name": name, "json": to_json(error), "msgpack_hex": pack(error).hex()}
        for name, error in error_cases()
    ]


def rendered() -> dict[str, str]:
    tables = {
        "values": values(),
        "refused": refused_cases(),
        "frames": frames(),
        "nats": nats(),
        "errors": errors(),
    }
    return {
        f"{name}.json": json.dumps(table, indent=2, ensure_ascii=True) + "\n"
        for name, table in tables.items()
    }


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale: list[str] = []
    for name, text in rendered().items():
        path = HERE / name
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    for name in stale:
        print(f"{name} is stale: run python {Path(__file__).name}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
