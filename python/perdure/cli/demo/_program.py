"""What the demo's engine runs: greetings in Python, badges in a language that is at hand."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from perdure import activity, workflow

__all__ = ["STEP_VARIABLE", "WITNESS_VARIABLE", "greet", "welcome", "welcome_in_python"]

WITNESS_VARIABLE = "DEMO_WITNESS"
"""The file in which every attempt says that it begins and ends."""
STEP_VARIABLE = "DEMO_STEP_MS"
"""How long a step takes, in milliseconds."""

badges = activity.service("badges")


@activity.defn
async def greet(name: str) -> str:
    """A step in Python."""
    _witness(f"begin greet {name}")
    await asyncio.sleep(int(os.environ[STEP_VARIABLE]) / 1_000)
    _witness(f"end greet {name}")
    return f"Hello, {name}!"


@badges.activity
async def badge(name: str) -> str:
    """A step in another language."""
    raise NotImplementedError


@workflow.defn
async def welcome(guests: list[str]) -> list[str]:
    """Greets each guest and gives them a badge."""
    lines: list[str] = []
    for name in guests:
        greeting = await greet(name)
        lines.append(f"{greeting} Your badge: {await badge(name)}")
    await asyncio.sleep(1)
    return lines


@workflow.defn
async def welcome_in_python(guests: list[str]) -> list[str]:
    """The same where no other language is at hand."""
    lines = [await greet(name) for name in guests]
    await asyncio.sleep(1)
    return lines


def _witness(line: str) -> None:
    with Path(os.environ[WITNESS_VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
