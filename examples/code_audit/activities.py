"""The steps of the audit: three in Python, and the stubs of those in Go and TypeScript."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from examples.code_audit import python_analyzer
from examples.code_audit.languages import LANGUAGE_OF_SUFFIX, SIZE_LIMIT_BYTES, SKIPPED_FOLDERS
from examples.code_audit.records import (
    AuditRequest,
    AuditSummary,
    FileReport,
    Listing,
    ParseError,
    UnreadableFileError,
)
from examples.code_audit.report.files import write_files
from examples.code_audit.witness import witnessed
from perdure import RetryPolicy, activity

FILE_ERRORS = (ParseError, UnreadableFileError)
"""What is wrong with a file and not with its worker: never tried again, always reported."""

FILE_TIMEOUT = timedelta(minutes=2)

FILE_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=5),
    maximum_attempts=20,
)
"""Patient with workers that are killed, and yet an end for a file that kills its worker."""

goaudit = activity.service("goaudit")
tsaudit = activity.service("tsaudit")


@goaudit.activity(
    name="analyze",
    errors=FILE_ERRORS,
    start_to_close_timeout=FILE_TIMEOUT,
    retry_policy=FILE_RETRY,
)
async def analyze_go(root: str, path: str) -> FileReport:
    """Measures a Go file: `goaudit/main.go`."""
    raise NotImplementedError


@tsaudit.activity(
    name="analyze",
    errors=FILE_ERRORS,
    start_to_close_timeout=FILE_TIMEOUT,
    retry_policy=FILE_RETRY,
)
async def analyze_typescript(root: str, path: str) -> FileReport:
    """Measures a TypeScript or JavaScript file: `tsaudit/src/main.ts`."""
    raise NotImplementedError


@activity.defn(
    process_pool=True,
    errors=FILE_ERRORS,
    start_to_close_timeout=FILE_TIMEOUT,
    retry_policy=FILE_RETRY,
)
def analyze_python(root: str, path: str) -> FileReport:
    """Measures a Python file, in a process of its own: parsing is bound by the processor."""
    with witnessed(path):
        try:
            source = Path(root, path).read_bytes()
        except OSError as error:
            raise UnreadableFileError(error.strerror or "", non_retryable=True) from error
        try:
            return python_analyzer.analyze_source(path, source)
        except python_analyzer.SourceSyntaxError as error:
            raise ParseError(error.message, {"line": error.line}, non_retryable=True) from error


@activity.defn
def list_files(root: str) -> Listing:
    """Finds the source files under a folder; symbolic links are not followed."""
    if not Path(root).is_dir():
        raise UnreadableFileError(f"{root} is no folder", non_retryable=True)
    listing = Listing(paths=[], too_large=[])
    for path, size_bytes in sorted(_source_files(Path(root))):
        chosen = listing.paths if size_bytes <= SIZE_LIMIT_BYTES else listing.too_large
        chosen.append(path)
    return listing


def _source_files(root: Path) -> Iterator[tuple[str, int]]:
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name for name in folders if name not in SKIPPED_FOLDERS and not name.startswith(".")
        ]
        for name in files:
            path = Path(folder, name)
            is_source = path.suffix in LANGUAGE_OF_SUFFIX and not path.is_symlink()
            if is_source and path.is_file() and _is_text(path):
                yield path.relative_to(root).as_posix(), path.stat().st_size


def _is_text(path: Path) -> bool:
    """Whether the path can travel: text is UTF-8 in every language, a file name need not be."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


@activity.defn
def write_report(request: AuditRequest, reports: list[FileReport]) -> AuditSummary:
    """Joins everything into `report.json` and `report.html`, the same bytes for the same tree."""
    return write_files(Path(request.root).name, Path(request.output), reports)
