"""The import contracts of pyproject.toml hold for a tree as drawn and break for a wrong arrow."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

PACKAGES = (
    "_core", "activity", "cli", "client", "convert", "instance", "lint", "testing", "worker",
    "workflow",
)  # fmt: skip
AS_DRAWN = {
    "cli": "from perdure import client, lint, testing, worker",
    "testing": "from perdure import client, instance, workflow",
    "worker": "from perdure import _core, client, instance",
    "client": "from perdure import _core, convert",
    "instance": "from perdure import _core, convert, workflow",
    "workflow": "from perdure import activity, convert, errors",
    "activity": "from perdure import _core, convert, errors",
    "convert": "from perdure import _core, errors",
}


def contracts_hold(folder: Path, imports: dict[str, str]) -> bool:
    package = folder / "perdure"
    for name in PACKAGES:
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").write_text("")
        (package / name / "_inner.py").write_text(imports.get(name, ""))
    (package / "__init__.py").write_text("")
    (package / "errors.py").write_text(imports.get("errors", ""))
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-logo", "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


def test_the_tree_as_drawn_passes(tmp_path: Path) -> None:
    assert contracts_hold(tmp_path, AS_DRAWN)


@pytest.mark.parametrize(
    ("package", "wrong"),
    [
        ("workflow", "from perdure import instance"),
        ("workflow", "from perdure import _core"),
        ("activity", "from perdure import worker"),
        ("activity", "from perdure import instance"),
        ("convert", "from perdure import workflow"),
        ("instance", "from perdure import client"),
        ("cli", "from perdure import _core"),
        ("cli", "from perdure import instance"),
        ("errors", "from perdure import convert"),
        ("client", "from perdure import cli"),
        ("client", "from perdure import testing"),
        ("testing", "from perdure import _core"),
        ("testing", "from perdure import cli"),
        ("lint", "from perdure import errors"),
        ("lint", "from perdure import instance"),
    ],
)
def test_a_wrong_arrow_breaks_them(package: str, wrong: str, tmp_path: Path) -> None:
    imports = {**AS_DRAWN, package: f"{AS_DRAWN.get(package, '')}\n{wrong}\n"}
    assert not contracts_hold(tmp_path, imports)
