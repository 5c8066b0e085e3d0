"""The workflow's loop sees what stock asyncio sees: values, order and times."""

from __future__ import annotations

import pytest

from tests.unit.instance.loops import on_stock_loop, on_twin, on_workflow_loop
from tests.unit.instance.programs import PROGRAMS


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_program_sees_the_same_on_every_loop(name: str) -> None:
    program = PROGRAMS[name]
    stock = on_stock_loop(program)
    assert stock.entries or stock.result != "pending"
    assert on_workflow_loop(program) == stock
    assert on_twin(program) == stock


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_program_is_the_same_in_the_smallest_slices(name: str) -> None:
    program = PROGRAMS[name]
    whole = on_workflow_loop(program)
    sliced = on_workflow_loop(program, budget_us=0)
    assert sliced == whole
    assert sliced.commands == whole.commands
