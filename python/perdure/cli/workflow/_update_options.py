"""`perdure workflow update-options`: moves a run to another version of its workers."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json
from perdure.client import WorkflowHandle
from perdure.versioning import VersioningBehavior, WorkerDeploymentVersion

__all__ = ["add"]

_PINNED = "pinned:"


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "update-options", "move a run to another version of its workers", execute
    )
    parser.add_argument(
        "--versioning-override",
        required=True,
        metavar="WHERE",
        help="pinned:BUILD, pinned:DEPLOYMENT:BUILD, or auto_upgrade: to the current version",
    )
    add_run(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    override = await _override(options.versioning_override, handle)
    await handle.update_options(versioning_override=override)
    where = "auto_upgrade" if isinstance(override, VersioningBehavior) else f"pinned:{override}"
    if options.output == "json":
        fields = {"workflow_id": handle.id, "run_id": handle.run_id, "versioning_override": where}
        print_json(fields)
    else:
        print(f"moved: {handle.id}, run {handle.run_id}, {where}")
    return ExitCode.OK


async def _override(
    text: str, handle: WorkflowHandle[object]
) -> WorkerDeploymentVersion | VersioningBehavior:
    if text == VersioningBehavior.AUTO_UPGRADE.value:
        return VersioningBehavior.AUTO_UPGRADE
    version = text.removeprefix(_PINNED)
    if version == text:
        raise CommandError(f"--versioning-override {text}: pinned:BUILD or auto_upgrade")
    if ":" not in version:
        attributes = (await handle.describe()).search_attributes
        deployment = str(attributes.get("PerdureDeploymentVersion", "")).partition(":")[0]
        if not deployment:
            raise CommandError(f"{handle.id} is on no version yet: write pinned:DEPLOYMENT:BUILD")
        version = f"{deployment}:{version}"
    try:
        return WorkerDeploymentVersion.parse(version)
    except ValueError as error:
        raise CommandError(str(error)) from error
