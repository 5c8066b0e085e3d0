"""`perdure lint`: what workflow code asks for that a replay could not repeat."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command
from perdure.cli._output import Style, notice, print_json, print_table
from perdure.cli._program import Program
from perdure.cli._versions import perdure_version

if TYPE_CHECKING:
    from perdure.lint import Finding

__all__ = ["add", "notice_findings"]

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_TEXT = """
It reads workflows, and the functions and classes of the same file that they use, and reports
what the guards would refuse and what no guard can see. Nothing is imported or run. A line that
ends with `# noqa: PRD2101` is silent about that rule. The exit code is 1 if something was found.

  perdure lint src --ignore PRD2405 --sarif lint.sarif
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "lint", "check workflow code for determinism", execute, text=_TEXT
    )
    parser.add_argument(
        "targets",
        metavar="FILE_OR_FOLDER",
        nargs="*",
        type=Path,
        help="what to read; the current folder by default",
    )
    parser.add_argument(
        "--select",
        metavar="CODES",
        action="append",
        default=[],
        help="only these rules, with commas between; PRD21 means all that begin so",
    )
    parser.add_argument(
        "--ignore", metavar="CODES", action="append", default=[], help="all but these rules"
    )
    parser.add_argument("--rules", action="store_true", help="list the rules, and read nothing")
    parser.add_argument("--sarif", metavar="FILE", type=Path, help="also write SARIF to this file")
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json", "sarif"),
        default="text",
        help="how to print: lines for people (default), or json or sarif for programs",
    )


def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    codes = _selected(options.select, options.ignore)
    if options.rules:
        _print_rules(codes, options.output)
        return ExitCode.OK
    findings: list[Finding] = []
    files = 0
    for path in _files(options.targets or [Path()]):
        files += 1
        findings += [each for each in _lint(path) if each.code in codes]
    if options.sarif is not None:
        _write(options.sarif, findings)
    _print(findings, options.output)
    bad = len({finding.path for finding in findings})
    if findings:
        notice(f"{_count(len(findings), 'finding')} in {bad} of {_count(files, 'file')}")
        return ExitCode.FAILURE
    notice(f"no findings in {_count(files, 'file')}")
    return ExitCode.OK


def notice_findings(program: Program) -> None:
    """Says beside the output what is wrong with the workflows of a program."""
    for file in sorted({each.fn.__code__.co_filename for each in program.workflows.values()}):
        with contextlib.suppress(CommandError):
            _print_lines(_lint(Path(file)), sys.stderr)


def _selected(select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    from perdure.lint import RULES

    chosen = _codes(select) or set(RULES)
    return chosen - _codes(ignore)


def _codes(given: Sequence[str]) -> set[str]:
    from perdure.lint import RULES

    codes: set[str] = set()
    for prefix in (part.strip().upper() for text in given for part in text.split(",")):
        meant = {code for code in RULES if code.startswith(prefix)} if prefix else set[str]()
        if not meant:
            raise CommandError(f"there is no rule {prefix!r}: `perdure lint --rules` lists them")
        codes |= meant
    return codes


def _files(targets: Sequence[Path]) -> Iterator[Path]:
    """The Python files that are meant, each once."""
    seen: set[Path] = set()
    for target in targets:
        if target.is_dir():
            found = _below(target)
        elif target.is_file():
            found = iter([target])
        else:
            raise CommandError(f"there is no file or folder {target}")
        for path in found:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield path


def _below(folder: Path) -> Iterator[Path]:
    """Python files of a folder, without those of tools, packages and environments."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and path.is_dir():
            continue
        if path.is_dir():
            hidden = path.name.startswith(".") or path.name in _SKIPPED
            if not hidden and not (path / "pyvenv.cfg").exists():
                yield from _below(path)
        elif path.suffix == ".py":
            yield path


def _lint(path: Path) -> list[Finding]:
    from perdure.lint import lint_file

    try:
        return lint_file(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def _print(findings: Sequence[Finding], output: str) -> None:
    from perdure.lint import RULES, sarif

    if output == "json":
        print_json([{**asdict(each), "rule": RULES[each.code].name} for each in findings])
    elif output == "sarif":
        print_json(sarif(findings, perdure_version()))
    else:
        _print_lines(findings, sys.stdout)


def _print_lines(findings: Sequence[Finding], out: TextIO) -> None:
    style = Style(out)
    for each in findings:
        place = style.paint(f"{each.path}:{each.line}:{each.column}:", "bold")
        where = f" (in {each.function})" if each.function else ""
        print(f"{place} {style.paint(each.code, 'red')} {each.message}{where}", file=out)
        print(f"    {each.fix}", file=out)


def _print_rules(codes: set[str], output: str) -> None:
    from perdure.lint import RULES

    rules = [rule for rule in RULES.values() if rule.code in codes]
    if output == "text":
        rows = [(rule.code, rule.name, rule.summary) for rule in rules]
        print_table(("code", "name", "why"), rows, cut=False)
    else:
        print_json([asdict(rule) for rule in rules])


def _write(path: Path, findings: Sequence[Finding]) -> None:
    from perdure.lint import sarif

    text = json.dumps(sarif(findings, perdure_version()), indent=2, ensure_ascii=False)
    try:
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
