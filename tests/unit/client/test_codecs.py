"""What leaves a process: every payload of every message is encoded, and comes back as it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from perdure import DataConverter
from perdure._core import encode
from perdure.client._codecs import decoded_fields, encoded_fields
from perdure.converter import AesGcmCodec
from perdure.converter._stack import CodecStack

_MESSAGES = Path(__file__).parents[3] / "core_rs/py/src/engine/messages.rs"
PRIVATE = "Maria-Musterfrau-4711"
PAYLOAD = encode([PRIVATE])
RUN = bytes(16)
FAILURE: dict[str, Any] = {
    "message": "it failed",
    "details": PAYLOAD,
    "cause": {"message": "why", "details": PAYLOAD, "cause": None},
}

WITH_PAYLOADS: dict[str, dict[str, Any]] = {
    "start": {
        "arguments": PAYLOAD,
        "signal_arguments": PAYLOAD,
        "update_arguments": PAYLOAD,
        "memo": {"who": PAYLOAD},
    },
    "signal": {"name": "hear", "arguments": PAYLOAD},
    "update": {"name": "add", "arguments": PAYLOAD},
    "query": {"name": "told", "arguments": PAYLOAD},
    "reset": {"commands": [2, 4], "results": [PAYLOAD, PAYLOAD]},
    "complete_activity": {"number": 1, "result": PAYLOAD},
    "fail_activity": {"number": 1, "failure": FAILURE},
    "cancel_activity": {"number": 1, "details": PAYLOAD},
    "heartbeat_activity": {"number": 1, "details": PAYLOAD},
    "the answer": {"result": PAYLOAD, "failure": FAILURE, "park_reason": ["a", "b", "c"]},
}
"""By kind of message, its fields that hold payloads, and some that do not."""

WITHOUT = {
    "await_update",
    "cancel",
    "terminate",
    "unpark",
    "pause",
    "unpause",
    "update_options",
    "await_result",
}


def _codec() -> CodecStack:
    codec = AesGcmCodec({"k": b"o" * 32}, current="k")
    stack = CodecStack.of(DataConverter(payload_codec=codec))
    assert stack is not None
    return stack


@pytest.mark.parametrize("kind", WITH_PAYLOADS)
def test_no_payload_of_a_message_leaves_as_it_is(kind: str) -> None:
    codec = _codec()
    fields = {"run": RUN, **WITH_PAYLOADS[kind]}
    sent = encoded_fields(codec, fields)
    assert PRIVATE.encode() not in encode(sent)
    assert decoded_fields(codec, sent) == fields
    again = encoded_fields(codec, sent)
    assert again == sent, "what is encoded already is not encoded twice"


def test_the_kinds_of_messages_are_all_known_here() -> None:
    """A new one belongs into one of the two lists."""
    source = _MESSAGES.read_text()
    arms = source[source.index("match kind {") : source.index("other => {")]
    kinds = set(re.findall(r'"(\w+)"(?= =>| \|)', arms))
    assert kinds == {*WITH_PAYLOADS, *WITHOUT} - {"the answer"}


def test_the_fields_of_messages_that_are_payloads_are_all_known_here() -> None:
    """Every field that the engine reads as a payload is in one of the messages above."""
    source = _MESSAGES.read_text()
    read = set(re.findall(r'Payload\(field::<Vec<u8>>\(fields, "(\w+)"\)', source))
    read |= set(re.findall(r'payload\("(\w+)"\)', source))
    read |= set(re.findall(r'field::<Vec<Vec<u8>>>\(fields, "(\w+)"\)', source))
    assert {"arguments", "results", "details"} <= read
    assert read <= {name for fields in WITH_PAYLOADS.values() for name in fields}
