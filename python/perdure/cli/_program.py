"""Workflows and activities of a file or a module that a command is given."""

from __future__ import annotations

import importlib
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from perdure.activity import ActivityDefinition
from perdure.cli._exit import CommandError
from perdure.workflow._definition import WorkflowDefinition, definition_of

__all__ = ["Program", "import_object", "load"]


@dataclass(slots=True)
class Program:
    """What a worker would host, by registered name."""

    workflows: dict[str, WorkflowDefinition[..., Any]] = field(
        default_factory=dict[str, "WorkflowDefinition[..., Any]"]
    )
    activities: dict[str, ActivityDefinition[..., Any]] = field(
        default_factory=dict[str, "ActivityDefinition[..., Any]"]
    )
    services: set[str] = field(default_factory=set[str])
    """Services that stubs of the program name."""

    def workflow(self, name: str | None, target: str) -> WorkflowDefinition[..., Any]:
        """The workflow of that name, or the only one.

        Raises:
            CommandError: There is none, or none is named and there are several.
        """
        known = ", ".join(sorted(self.workflows)) or "none"
        if name is None:
            if len(self.workflows) != 1:
                raise CommandError(f"which workflow? {target} defines {known}: write {target}:NAME")
            (only,) = self.workflows.values()
            return only
        for definition in self.workflows.values():
            if name in {definition.name, definition.__name__}:
                return definition
        raise CommandError(f"{target} defines no workflow {name!r}; its workflows: {known}")


def load(targets: list[str], directory: Path | None = None) -> Program:
    """Imports files and modules, and gathers what they define or import.

    Args:
        targets: Files and dotted names.
        directory: Where dotted names are looked for; the current folder by default.

    Raises:
        CommandError: One cannot be imported, or there is nothing to host.
    """
    program = Program()
    for target in targets:
        _gather(program, _import_target(target, directory or Path.cwd()))
    if not program.workflows and not program.activities:
        raise CommandError(
            f"{', '.join(targets)}: neither workflow nor activity in there: decorate functions "
            "with @workflow.defn and @activity.defn"
        )
    return program


def _gather(program: Program, module: ModuleType) -> None:
    for value in vars(module).values():
        if isinstance(value, ActivityDefinition):
            activity = cast("ActivityDefinition[..., Any]", value)
            service = activity.reference.service
            if service is None:
                program.activities[activity.name] = activity
            else:
                program.services.add(service)
        elif isinstance(value, WorkflowDefinition | type):
            try:
                definition = definition_of(value)
            except TypeError:
                continue
            program.workflows[definition.name] = definition


def import_object(name: str, directory: Path, what: str) -> Any:
    """What is called `module:object`, or `file.py:object`; None where the module has no such.

    Raises:
        CommandError: It is no such name, or the module cannot be imported.
    """
    target, colon, attribute = name.rpartition(":")
    if not colon or not target:
        raise CommandError(f"{name!r} names no {what}: write module:object, or file.py:object")
    return getattr(_import_target(target, directory), attribute, None)


def _import_target(target: str, directory: Path) -> ModuleType:
    """Imports a file, or a dotted name that is looked for in a folder too.

    Raises:
        CommandError: It cannot be imported.
    """
    path = Path(target)
    if target.endswith(".py") or path.is_file():
        if not path.is_file():
            raise CommandError(f"there is no file {target}")
        folder, name = _place_of(path.resolve())
    else:
        folder, name = directory, target
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(name)
    except Exception as error:
        advice = ""
        if "running event loop" in str(error):
            advice = ': guard its start with `if __name__ == "__main__":`'
        raise CommandError(f"{target} cannot be imported: {_one_line(error)}{advice}") from error
    found = getattr(module, "__file__", None)
    if path.is_file() and (found is None or Path(found).resolve() != path.resolve()):
        raise CommandError(
            f"{target} has the name of another module, {found or name}: give the file another name"
        )
    return module


def _place_of(path: Path) -> tuple[Path, str]:
    """The folder to import from, and the dotted name there: a package's file is its submodule."""
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename != __file__
    ]
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"
