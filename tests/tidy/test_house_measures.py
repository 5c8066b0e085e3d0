"""The style of the house, as a test; each exception is named in exemptions.toml."""

import tomllib
from fnmatch import fnmatch
from functools import cache

import pytest

from tests.tidy.rules import RULES
from tests.tidy.tree import ROOT, Finding, Tree, project_tree

EXEMPTIONS = ROOT / "tests/tidy/exemptions.toml"


@cache
def findings(rule: str) -> tuple[Finding, ...]:
    return tuple(sorted(RULES[rule](cached_project())))


@cache
def cached_project() -> Tree:
    return project_tree()


def exemptions() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = tomllib.loads(EXEMPTIONS.read_text()).get("exempt", [])
    return entries


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps(rule: str) -> None:
    exempt = [entry["path"] for entry in exemptions() if entry["rule"] == rule]
    broken = [
        str(finding)
        for finding in findings(rule)
        if not any(fnmatch(finding.path, pattern) for pattern in exempt)
    ]
    assert not broken, f"{RULES[rule].__doc__}\n" + "\n".join(broken)


def test_every_exemption_is_needed_and_has_a_reason() -> None:
    for entry in exemptions():
        assert entry["rule"] in RULES, f"no such rule: {entry}"
        assert len(entry["reason"].split()) >= 4, f"a reason is a sentence: {entry}"
        paths = {finding.path for finding in findings(entry["rule"])}
        assert any(fnmatch(path, entry["path"]) for path in paths), f"no longer needed: {entry}"
