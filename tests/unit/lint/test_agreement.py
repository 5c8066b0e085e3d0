"""The linter's own tables agree with what the guard and the substitutes do."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from perdure.instance import _guard, _loop, _substitution
from perdure.lint.rules import _reaching, blocking, chance, clocks
from tests.tidy.tree import ROOT

# Run where no worker has been: what is imported first are the functions of the process.
_CHANGED = """
import _thread, json, os, random, time
modules = (_thread, os, random, time)
before = {module.__name__: dict(vars(module)) for module in modules}
from perdure.instance._determinism import install_determinism
install_determinism()
print(json.dumps(sorted(
    f"{module.__name__}.{name}"
    for module in modules
    for name, value in vars(module).items()
    if before[module.__name__].get(name) is not value
)))
"""
_BY_NAME = """
import importlib, json, sys
taken = {}
for name in json.loads(sys.argv[1]):
    module, _, verb = name.rpartition(".")
    taken[name] = getattr(importlib.import_module(module), verb, None)
from perdure.instance._determinism import install_determinism
install_determinism()
from tests.unit.instance.test_substitution import in_workflow
arguments = {"getrandbits": (64,), "randbytes": (9,), "choice": (range(1 << 62),)}
def call(function, name):
    return str(function(*arguments.get(name.rpartition(".")[2], ())))
def main():
    answers = {}
    for name, function in taken.items():
        module, _, verb = name.rpartition(".")
        mended = getattr(importlib.import_module(module), verb)
        answers[name] = [call(function, name), call(mended, name)]
    return answers
print(json.dumps([in_workflow(main), in_workflow(main)]))
"""


def _in_a_fresh_process(program: str, *arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "python")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_event_of_the_guard_has_its_calls() -> None:
    assert set(_reaching.EVENT_CALLS) == set(_guard._EVENTS)


def test_the_loops_refusals_are_known() -> None:
    reaching = {name for names in _reaching.LOOP_METHODS.values() for name in names.split()}
    assert reaching | set(blocking.LOOP_METHODS) >= set(_loop._REFUSED)
    harmless = {"close", "set_task_factory", "set_debug"}
    assert reaching | set(blocking.LOOP_METHODS) <= set(_loop._REFUSED) | harmless


def test_what_is_substituted_is_what_the_rules_say() -> None:
    refused = {
        *("_thread.start_new_thread", "os.urandom", "random._urandom", "time.sleep"),
        *("random.getstate", "random.setstate"),
    }
    verbs = {
        f"random.{verb}"
        for verb in chance.VERBS
        if hasattr(importlib.import_module("random"), verb)
    }
    assert set(_in_a_fresh_process(_CHANGED)) == clocks.SUBSTITUTED | verbs | refused
    assert {*_substitution._RANDOM_VERBS, "seed"} == chance.VERBS


def test_a_name_taken_before_the_first_worker_is_not_deterministic_and_its_module_is() -> None:
    names = [
        *sorted(clocks.SUBSTITUTED),
        *("random.random", "random.getrandbits", "random.randbytes", "random.choice"),
    ]
    first, second = _in_a_fresh_process(_BY_NAME, json.dumps(names))
    assert first.keys() == set(names)
    for name in names:
        taken, mended = zip(first[name], second[name], strict=True)
        assert mended[0] == mended[1], name
        # A processor's clock may stand still between two looks; it is not the run's all the same.
        assert taken[0] != mended[0], name


@pytest.mark.parametrize(
    "names",
    [
        *(names for _, names in _reaching.EVENT_CALLS.values()),
        *_reaching.UNSEEN.values(),
        " ".join(sorted(chance.SECRETS | clocks.SUBSTITUTED)),
    ],
)
def test_every_name_of_the_tables_exists(names: str) -> None:
    for name in names.split():
        assert _resolved(name) is not None, name


def _resolved(name: str) -> Any:
    """The longest module that the name begins with, and the attributes that follow."""
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            value: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part, None)
        return value
    return None
