"""The audit: one function, three languages, and nothing lost when any of it is killed."""

import asyncio

from examples.code_audit.activities import (
    FILE_ERRORS,
    analyze_go,
    analyze_python,
    analyze_typescript,
    list_files,
    write_report,
)
from examples.code_audit.languages import language_of
from examples.code_audit.records import (
    AuditRequest,
    AuditSummary,
    FileError,
    FileReport,
    ParseError,
)
from perdure import workflow
from perdure.errors import ActivityError

ANALYZERS = {
    "go": analyze_go,
    "typescript": analyze_typescript,
    "javascript": analyze_typescript,
    "python": analyze_python,
}


@workflow.defn
async def audit(request: AuditRequest) -> AuditSummary:
    """Measures every source file under `request.root`, and writes the report."""
    listing = await list_files(request.root)
    reports = await asyncio.gather(*(measure(request.root, path) for path in listing.paths))
    reports += [refused(path, "too_large", 0, "over 1 MiB") for path in listing.too_large]
    return await write_report(request, reports)


async def measure(root: str, path: str) -> FileReport:
    """One file: a file that cannot be measured is a line of the report, never a failed run."""
    try:
        return await ANALYZERS[language_of(path)](root, path)
    except ParseError as error:
        return refused(path, "syntax", error.line, error.message)
    except FILE_ERRORS as error:
        return refused(path, "unreadable", 0, error.message)
    except ActivityError as error:
        return refused(path, "failed", 0, str(error.cause))


def refused(path: str, kind: str, line: int, message: str) -> FileReport:
    """The report of a file that was not measured."""
    return FileReport(path, language_of(path), error=FileError(kind, line, message))
