"""The verbs of `perdure worker deployment`."""

from __future__ import annotations

import argparse
from typing import Any

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import (
    Commands,
    add_command,
    add_group,
    add_output,
    add_store,
    connect,
)
from perdure.cli._output import notice, print_json, print_table
from perdure.client import VersionUsage, WorkerDeployment
from perdure.versioning import WorkerDeploymentVersion

__all__ = ["NAME", "add"]

NAME = "worker deployment"
_TEXT = """
PINNED counts open runs that stay on a version: when there are none, and none is sent to it any
more, it is drained and its workers may go. MOVING counts those that go on to the current version
with their next turn.
"""


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, NAME, "say which version of the workers runs go to")
    current = add_command(
        verbs, "set-current-version", "send runs to a version", _set_current_version
    )
    ramping = add_command(
        verbs, "set-ramping-version", "send a share of the runs to a version", _set_ramping_version
    )
    for parser in (current, ramping):
        parser.add_argument("--deployment-name", required=True, metavar="NAME", help="such as shop")
        parser.add_argument("--build-id", required=True, metavar="BUILD", help="such as 2026-11-25")
        add_store(parser)
    ramping.add_argument(
        "--percentage",
        required=True,
        type=float,
        metavar="N",
        help="how much of what goes to the current version, from 0 to 100; 0 ends it",
    )
    shown = add_command(verbs, "describe", "show a deployment and its versions", _show, text=_TEXT)
    shown.add_argument("name", metavar="NAME", help="the deployment")
    listed = add_command(verbs, "list", "list deployments", _list)
    for parser in (shown, listed):
        add_store(parser)
        add_output(parser)


def _version(options: argparse.Namespace) -> WorkerDeploymentVersion:
    try:
        return WorkerDeploymentVersion(options.deployment_name, options.build_id)
    except ValueError as error:
        raise CommandError(str(error)) from error


async def _set_current_version(options: argparse.Namespace) -> ExitCode:
    version = _version(options)
    before = await (await connect(options)).worker_deployments.set_current_version(version)
    print(f"current: {version}" + (f" (before: {before})" if before else ""))
    return ExitCode.OK


async def _set_ramping_version(options: argparse.Namespace) -> ExitCode:
    version, percentage = _version(options), options.percentage
    deployments = (await connect(options)).worker_deployments
    await deployments.set_ramping_version(version, percentage=percentage)
    print(f"ramping: {version}, {percentage:g} %" if percentage else "no version ramps up")
    return ExitCode.OK


async def _show(options: argparse.Namespace) -> ExitCode:
    deployment = await (await connect(options)).worker_deployments.describe(options.name)
    if options.output == "json":
        print_json(_fields(deployment))
        return ExitCode.OK
    titles = ("version", "is", "pinned", "moving", "drained")
    print_table(titles, [_row(deployment, each) for each in deployment.versions])
    return ExitCode.OK


def _row(deployment: WorkerDeployment, usage: VersionUsage) -> tuple[str, ...]:
    version = usage.version
    counts = str(usage.pinned), str(usage.auto_upgrade)
    return str(version), _role(deployment, version), *counts, "yes" if usage.is_drained else "no"


def _role(deployment: WorkerDeployment, version: WorkerDeploymentVersion) -> str:
    if version == deployment.current_version:
        return "current"
    if version == deployment.ramping_version:
        return f"ramping, {deployment.ramping_percentage:g} %"
    return ""


async def _list(options: argparse.Namespace) -> ExitCode:
    client = await connect(options)
    found = [each async for each in client.worker_deployments.list()]
    if options.output == "json":
        print_json([_fields(each) for each in found])
    elif not found:
        notice(f"no deployments in {client.path}")
    else:
        titles = ("name", "current", "ramping", "pinned runs")
        print_table(titles, [_listed(each) for each in found])
    return ExitCode.OK


def _listed(deployment: WorkerDeployment) -> tuple[str, str, str, str]:
    current, ramping = deployment.current_version, deployment.ramping_version
    share = "" if ramping is None else f"{ramping.build_id}, {deployment.ramping_percentage:g} %"
    pinned = sum(each.pinned for each in deployment.versions)
    return deployment.name, "" if current is None else current.build_id, share, str(pinned)


def _fields(deployment: WorkerDeployment) -> dict[str, Any]:
    current, ramping = deployment.current_version, deployment.ramping_version
    return {
        "name": deployment.name,
        "current_build_id": None if current is None else current.build_id,
        "ramping_build_id": None if ramping is None else ramping.build_id,
        "ramping_percentage": deployment.ramping_percentage,
        "versions": [
            {
                "build_id": each.version.build_id,
                "pinned": each.pinned,
                "auto_upgrade": each.auto_upgrade,
                "is_drained": each.is_drained,
            }
            for each in deployment.versions
        ],
    }
