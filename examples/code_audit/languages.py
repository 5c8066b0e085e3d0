"""Which files are audited, and in which language."""

from pathlib import PurePath

LANGUAGE_OF_SUFFIX = {
    ".go": "go",
    ".ts": "typescript",
    ".tsx": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".py": "python",
}

LANGUAGES = tuple(dict.fromkeys(LANGUAGE_OF_SUFFIX.values()))

SIZE_LIMIT_BYTES = 1 << 20
"""Nobody wrote a larger file by hand, and one would keep a worker for seconds."""

SKIPPED_FOLDERS = frozenset({"node_modules", "target", "dist", "build", "__pycache__", "vendor"})
"""Folders of other people's code and of build results; hidden folders are skipped too."""


def language_of(path: str) -> str:
    """The language of a file, by its suffix; a KeyError for a file that is not audited."""
    return LANGUAGE_OF_SUFFIX[PurePath(path).suffix]
