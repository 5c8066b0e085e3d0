"""What travels between the workflow and its activities, the same in the three languages."""

from dataclasses import dataclass, field

from perdure.errors import ApplicationError


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """Which tree to audit, and the folder that takes the report."""

    root: str
    output: str


@dataclass(frozen=True, slots=True)
class Listing:
    """The files to audit, as sorted paths under the root, and those too large to be source."""

    paths: list[str]
    too_large: list[str]


@dataclass(frozen=True, slots=True)
class FunctionReport:
    """One function, measured by the rules of README.md."""

    name: str
    line: int
    length: int
    nesting: int
    complexity: int
    documented: bool
    exported: bool


@dataclass(frozen=True, slots=True)
class FileError:
    """Why a file could not be measured; `line` is 0 where no line is to blame."""

    kind: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its functions in the order in which they begin, or the error in their place."""

    path: str
    language: str
    lines: int = 0
    functions: list[FunctionReport] = field(default_factory=list[FunctionReport])
    error: FileError | None = None


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What the workflow returns: where the report is, and its totals."""

    report_html: str
    report_json: str
    files: int
    functions: int
    lines: int
    errors: int


class ParseError(ApplicationError):
    """The parser refused the file. Every language raises it under this name."""

    @property
    def line(self) -> int:
        """The line to blame; 0 where none is."""
        return int(self.details[0]["line"])


class UnreadableFileError(ApplicationError):
    """The file was listed and cannot be read: it is gone, or not ours to read."""
