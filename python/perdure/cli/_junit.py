"""Replay results as JUnit XML, which continuous integration shows run by run."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from perdure.testing import ReplayVerdict, WorkflowReplayResult, WorkflowReplayResults

__all__ = ["junit_text"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML document may hold, not even escaped."""
_BLAMES_THE_CODE = {ReplayVerdict.MISMATCH, ReplayVerdict.BUG, ReplayVerdict.UNREPEATABLE}


def junit_text(results: WorkflowReplayResults) -> str:
    """A suite for each workflow type, a case for each run."""
    root = ET.Element("testsuites", name="perdure replay")
    for workflow_type in results.verdicts:
        cases = [each for each in results.results if each.workflow_type == workflow_type]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_clean(workflow_type or "unreadable"),
            tests=str(len(cases)),
            failures=str(sum(each.verdict in _BLAMES_THE_CODE for each in cases)),
            errors=str(sum(_is_error(each) for each in cases)),
        )
        for each in cases:
            _add_case(suite, each)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _is_error(result: WorkflowReplayResult) -> bool:
    return result.verdict is not ReplayVerdict.OK and result.verdict not in _BLAMES_THE_CODE


def _add_case(suite: ET.Element, result: WorkflowReplayResult) -> None:
    name = f"{result.workflow_id} {result.run_id}" if result.run_id else result.place
    case = ET.SubElement(
        suite, "testcase", classname=_clean(result.workflow_type), name=_clean(name)
    )
    if result.verdict is ReplayVerdict.OK:
        return
    tag = "failure" if result.verdict in _BLAMES_THE_CODE else "error"
    lines = result.reason.splitlines() or [""]
    found = ET.SubElement(case, tag, type=result.verdict.value, message=_clean(lines[0]))
    found.text = _clean(f"{result.reason}\n{result.traceback}".rstrip())


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
