"""The foreign language of the tour: the first of node, perl and go that is found."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from perdure.cli._exit import CommandError

__all__ = ["LANGUAGES", "Language", "find_language"]

WORKERS = Path(__file__).parent / "workers"
BUILD_SECONDS_MAX = 120


@dataclass(frozen=True, slots=True)
class Language:
    """A language, its program, and the worker that is written in it."""

    name: str
    title: str
    source: Path
    command: Callable[[str, Path], list[str]]
    """From the program and a folder for what is built: how to start the worker."""


def _build_go(program: str, folder: Path) -> list[str]:
    built = folder / "badges"
    source = WORKERS / "badges.go"
    done = subprocess.run(
        [program, "build", "-o", built, source],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"go build {source} failed: {' '.join(done.stderr.split())}")
    return [str(built)]


LANGUAGES = (
    Language(
        "node",
        "JavaScript (Node.js)",
        WORKERS / "badges.mjs",
        lambda program, _folder: [program, str(WORKERS / "badges.mjs")],
    ),
    Language(
        "perl",
        "Perl",
        WORKERS / "badges.pl",
        lambda program, _folder: [program, str(WORKERS / "badges.pl")],
    ),
    Language("go", "Go", WORKERS / "badges.go", _build_go),
)


def find_language(wanted: str | None) -> tuple[Language, str] | None:
    """A language and its program, if one is found; the wanted one, or the first.

    Raises:
        CommandError: The wanted one is not installed.
    """
    for language in LANGUAGES:
        if wanted in {None, language.name}:
            program = shutil.which(language.name)
            if program is not None and _works(language, program):
                return language, program
    if wanted is not None:
        raise CommandError(f"{wanted} was not found on the PATH")
    return None


def _works(language: Language, program: str) -> bool:
    """A minimal Perl comes without its modules."""
    if language.name != "perl":
        return True
    check = [program, "-MJSON::PP", "-MDigest::SHA", "-e", "1"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0
