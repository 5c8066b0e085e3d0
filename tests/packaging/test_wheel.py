"""The wheel installs into a bare environment and works there, without Go, Node or a network."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

BUILD_SECONDS_MAX = 1200


def call(*arguments: str | Path, cwd: Path, path: str | None = None) -> str:
    environment = {**os.environ, "PYTHONPATH": "", "PATH": path or os.environ["PATH"]}
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("build", "--release", "--locked", "--quiet", "--interpreter", sys.executable)
    call(sys.executable, "-m", "maturin", *build, "--out", folder, cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=True, symlinks=True)
    call(folder / "bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return folder / "bin"


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/", 1)[0].split("-")[0] for name in names} == {"perdure"}
    assert len([name for name in names if name.endswith(".so")]) == 1
    for wanted in ("py.typed", "__init__.py", "cli/demo/workers/badges.mjs"):
        assert f"perdure/{wanted}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any("__pycache__" in name for name in names)


@pytest.mark.timeout(BUILD_SECONDS_MAX)
def test_it_imports_where_nothing_else_is_installed(bare: Path, tmp_path: Path) -> None:
    program = "import perdure; print(perdure.__name__)"
    printed = call(bare / "python", "-W", "error", "-c", program, cwd=tmp_path, path="/nowhere")
    assert printed == "perdure\n"
