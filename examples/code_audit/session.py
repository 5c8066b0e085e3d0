"""One audit of one tree: its folder, and the engine that runs it."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.code_audit.activities import analyze_python, list_files, write_report
from examples.code_audit.records import AuditRequest, AuditSummary
from examples.code_audit.workflow import audit
from perdure import Client, NatsOptions, Worker
from perdure.errors import WorkflowAlreadyStartedError

if TYPE_CHECKING:
    from perdure import WorkflowHandle

FOLDER = Path(".perdure") / "code_audit"
WORKFLOW_ID = "audit"


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
    def history(self) -> Path:
        """The run's history, written when it has closed."""
        return self.folder / "history.jsonl"

    @property
    def was_interrupted(self) -> bool:
        """Whether an engine began here and was not let to finish."""
        return self.store.exists() and not self.history.exists()

    def clear(self) -> None:
        """Begins anew: an empty folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    async def run(self) -> AuditSummary:
        """Runs the engine until the audit is done; a run that was interrupted goes on.

        Where the nats-server is stands in the environment, as for the foreign workers.
        """
        nats = NatsOptions(os.environ["PERDURE_NATS_URL"], token=os.environ["PERDURE_NATS_TOKEN"])
        async with (
            await Client.connect(f"file:{self.store}") as client,
            Worker(
                client,
                workflows=[audit],
                activities=[list_files, analyze_python, write_report],
                nats=nats,
            ),
        ):
            handle = await self._begin(client)
            result: Any = await handle.result()
            self.history.write_text(await handle.fetch_history())
        return result if isinstance(result, AuditSummary) else AuditSummary(**result)

    async def _begin(self, client: Client) -> WorkflowHandle[Any]:
        """The run that an engine before this one left behind, or a new one."""
        async for run in client.list_workflows(workflow_id=WORKFLOW_ID):
            return await client.get_workflow_handle(WORKFLOW_ID, run_id=run.run_id)
        request = AuditRequest(str(self.root), str(self.folder))
        try:
            return await client.start_workflow(audit, request, id=WORKFLOW_ID)
        except WorkflowAlreadyStartedError:
            # A start that was posted before the kill has been taken up in the meantime.
            return await client.get_workflow_handle(WORKFLOW_ID)
