"""Findings as SARIF 2.1.0, which code hosts and editors show beside the lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from perdure.lint._finding import Finding, Rule
from perdure.lint._table import RULES

__all__ = ["sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_GUIDE = "https://github.com/perdure/perdure/blob/main/docs/guide/lint.md"


def sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """One run of the linter of that version, as a SARIF log."""
    codes = list(RULES)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "perdure lint",
                        "semanticVersion": version,
                        "informationUri": _GUIDE,
                        "rules": [_rule(rule) for rule in RULES.values()],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, codes.index(each.code)) for each in findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "helpUri": f"{_GUIDE}#{rule.code.lower()}",
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding, rule_index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": "error",
        "message": {"text": f"{finding.message}. To mend it: {finding.fix}."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": _place(finding.path),
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "endLine": finding.end_line,
                        "endColumn": finding.end_column,
                    },
                }
            }
        ],
    }
    if finding.function:
        result["locations"][0]["logicalLocations"] = [
            {"fullyQualifiedName": finding.function, "kind": "function"}
        ]
    return result


def _place(path: str) -> dict[str, Any]:
    """Relative to the folder in which the linter ran, where the file is below it."""
    file = Path(path)
    if file.is_absolute():
        return {"uri": file.as_uri()}
    return {"uri": quote(file.as_posix()), "uriBaseId": "SRCROOT"}
