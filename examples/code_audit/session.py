"""One audit of one tree: where its files are, and how to run an engine on them."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from examples.code_audit.activities import analyze_python, list_files, write_report
from examples.code_audit.records import AuditRequest, AuditSummary
from examples.code_audit.services import Child
from examples.code_audit.workflow import audit
from perdure import Client, Worker

FOLDER = Path(".perdure") / "code_audit"
WORKFLOW_ID = "audit"


@dataclass(frozen=True)
class Session:
    """The folder of an audit: the engine's store, the logs, and the report."""

    root: Path
    folder: Path

    @classmethod
    def of(cls, root: Path, variant: str = "") -> "Session":
        """The session of a tree; another variant is another audit of the same tree."""
        digest = hashlib.sha256(str(root).encode()).hexdigest()[:8]
        session = cls(root, FOLDER.absolute() / f"{root.name}-{digest}{variant}")
        session.folder.mkdir(parents=True, exist_ok=True)
        return session
