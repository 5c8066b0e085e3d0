"""Values as JSON and back: the bridge's JSON profile."""

import json
import math
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from perdure.cli._exit import CommandError
from perdure.cli._values import read_input, to_json

PAIRS: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "true"),
    (2**53 - 1, "9007199254740991"),
    (2**53, '{"$int":"9007199254740992"}'),
    (1.0, "1.0"),
    (-math.inf, '{"$float":"-Infinity"}'),
    ("é\0", '"é\\u0000"'),
    (b"\0\xff", '{"$bytes":"AP8="}'),
    ([1, [2]], "[1,[2]]"),
    ({"$int": "5"}, '{"$$int":"5"}'),
    (datetime(2026, 11, 23, 21, 54, tzinfo=UTC), '{"$timestamp":"2026-11-23T21:54:00Z"}'),
    (timedelta(microseconds=5), '{"$duration":"5000"}'),
    (Decimal("12.50"), '{"$decimal":"12.50"}'),
    (uuid.UUID(int=5), '{"$uuid":"00000000-0000-0000-0000-000000000005"}'),
]


@pytest.mark.parametrize(("value", "text"), PAIRS, ids=[text for _, text in PAIRS])
def test_a_value_goes_out_and_comes_back(value: Any, text: str) -> None:
    written = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"))
    assert written == text
    read = read_input(written)
    assert read == value
    assert type(read) is type(value)


def test_not_a_number_goes_out_and_comes_back() -> None:
    assert to_json(math.nan) == {"$float": "NaN"}
    assert math.isnan(read_input('{"$float": "NaN"}'))


def test_an_input_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "order.json"
    file.write_text('{"id": 7}')
    assert read_input(f"@{file}") == {"id": 7}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("o-1", "a text is written as"),
        ("NaN", r"write \{\"\$float\": \"NaN\"\}"),
        ('{"$nothing": 1}', "write \\$\\$nothing for a key"),
        ('{"$int": "five"}', "'five' is no int"),
        ("@/nowhere/order.json", "No such file"),
    ],
)
def test_what_is_no_input_is_refused(text: str, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        read_input(text)
