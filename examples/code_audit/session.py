"""One audit of one tree: its folder, and the engine that runs it."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from examples.code_audit.activities import analyze_python, list_files, write_report
from examples.code_audit.records import AuditRequest
from examples.code_audit.workflow import audit
from perdure import Client, Worker

if TYPE_CHECKING:
    from examples.code_audit.records import AuditSummary

FOLDER = Path(".perdure") / "code_audit"


@dataclass(frozen=True)
class Session:
    """The folder of one audit: the engine's store, the logs of its workers, and the report."""

    root: Path
    folder: Path

    @classmethod
    def of(cls, root: Path, variant: str = "") -> Session:
        """The session of a tree; each variant is an audit of its own."""
        digest = hashlib.sha256(str(root).encode()).hexdigest()[:8]
        return cls(root, FOLDER.absolute() / f"{root.name}-{digest}{variant}")

    @property
    def store(self) -> Path:
        """The engine's store."""
        return self.folder / "audit.db"

    @property
    def witness(self) -> Path:
        """What the workers say that they ran."""
        return self.folder / "witness.log"

    @property
    def was_interrupted(self) -> bool:
        """Whether an engine began here and was not let to finish."""
        return self.store.exists() and not self._finished.exists()

    @property
    def _finished(self) -> Path:
        return self.folder / "finished"

    def clear(self) -> None:
        """Begins anew: an empty folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    async def run(self) -> AuditSummary:
        """Runs the engine until the audit is done; a run that was interrupted goes on."""
        request = AuditRequest(str(self.root), str(self.folder))
        activities = [list_files, analyze_python, write_report]
        async with (
            await Client.connect(f"file:{self.store}") as client,
            Worker(client, workflows=[audit], activities=activities),
        ):
            handle = await client.start_workflow(audit, request, id="audit")
            summary = await handle.result()
        self._finished.touch()
        return summary
