"""What a start refuses at once, with no engine about: what would park or confuse the run later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, RetryPolicy, activity, workflow
from perdure.workflow._child_options import ChildOptions


@workflow.defn
async def greet(name: str, times: int = 1) -> str:
    return name * times


@pytest.mark.parametrize(
    ("arguments", "options", "said"),
    [
        ((3,), {}, r"greet\(.*\) -> .*: \$\[0\]: expected a string"),
        (("x", "y"), {}, r"\$\[1\]: expected an integer"),
        ((), {}, r"greet\(.*: missing a required argument: 'name'"),
        (("x", 1, 2), {}, r"greet\(.*: too many positional arguments"),
        (("x",), {"run_timeout": 5}, r"run_timeout is a timedelta, such as timedelta\(seconds=5\)"),
        (("x",), {"start_delay": "1h"}, r"start_delay is a timedelta, .* not '1h'"),
        (("x",), {"run_time": timedelta(1)}, "run_time"),
        (("x",), {"id_reuse_policy": "reject_duplicate"}, "id_reuse_policy is a WorkflowIDReuse"),
        (("x",), {"priority": 3}, "priority is a Priority, not 3"),
        (("x",), {"retry_policy": 3}, "retry_policy is a RetryPolicy"),
        (("x",), {"id": 7}, "id is a str"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    tmp_path: Path, arguments: tuple[Any, ...], options: dict[str, Any], said: str
) -> None:
    async def start() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        await client.start_workflow(greet, *arguments, **options)

    with pytest.raises(TypeError, match=said):
        asyncio.run(start())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "option", "value", "said"),
    [
        (RetryPolicy, "initial_interval", 5, "initial_interval is a timedelta"),
        (RetryPolicy, "maximum_interval", 5, "maximum_interval is a timedelta"),
        (ChildOptions, "run_timeout", 2.5, r"timedelta\(seconds=2.5\), not 2.5"),
        (activity.ActivityOptions, "heartbeat_timeout", True, r"\(seconds=30\), not True"),
    ],
)
def test_a_number_is_no_span(
    make: Callable[..., Any], option: str, value: object, said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        make(**{option: value})
