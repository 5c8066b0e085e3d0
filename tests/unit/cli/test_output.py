"""Tables, times and durations as people read them."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.cli._output import duration_text, print_table, time_text


def test_columns_are_as_wide_as_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "status"), [("a", "running"), ("bestellung", "done"), ("日本", "x")])
    assert capsys.readouterr().out == (
        "ID          STATUS\na           running\nbestellung  done\n日本        x\n"
    )


def test_a_long_or_broken_cell_becomes_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a",), [("x" * 70,), ("two\nlines",)])
    assert capsys.readouterr().out == f"A\n{'x' * 59}…\ntwo lines\n"


def test_a_table_without_rows_has_its_titles(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a", "b"), [])
    assert capsys.readouterr().out == "A  B\n"


def test_times_are_in_utc() -> None:
    assert time_text(datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)) == "2026-01-02 03:04:05Z"
    assert time_text(None) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1234, "0.12s"), (12.34, "12.3s"), (61, "1m 1s"), (3_700, "1h 1m"), (90_000, "1d 1h")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == text
