"""The main job on real processes: engine, nats-server, Go service and Node service."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from examples.code_audit.kill import plan_kills
from examples.code_audit.services import ServiceError, Services

REPOSITORY = Path(__file__).parents[2]
FIXTURES = REPOSITORY / "examples" / "code_audit" / "fixtures"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
COMMAND = [sys.executable, "-m", "examples.code_audit"]
SEED = 20261123


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The fixtures, some of them several times, and what must be skipped or refused."""
    root = tmp_path / "tree"
    for folder in ("one", "two/deeper", "node_modules", ".hidden"):
        shutil.copytree(FIXTURES, root / folder)
    (root / "huge.py").write_bytes(b"#" * (1 << 20) + b"\n")
    (root / "link.py").symlink_to("one/twins.py")
    (root / "lïnes ünd spaces.py").write_text("def f():\n    pass\n")
    return root


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_report_has_every_file_in_three_languages(tmp_path: Path, tree: Path) -> None:
    done = run(tmp_path, "--repo", str(tree))
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = tmp_path.glob(".perdure/code_audit/tree-*/report.json")
    report = json.loads(path.read_text())
    expected = json.loads((FIXTURES / "expected.json").read_text())
    measured = {file["path"]: file for file in report["files"]}
    assert len(measured) == 2 * len(expected) + 2
    for name, file in expected.items():
        for folder in ("one", "two/deeper"):
            found = measured[f"{folder}/{name}"]
            if "error" in file:
                assert found["error"]["kind"] == "syntax"
                assert found["error"]["line"] == file["error"]["line"]
            else:
                assert found == file | {"path": f"{folder}/{name}"}
    assert measured["huge.py"]["error"]["kind"] == "too_large"
    assert len(measured["lïnes ünd spaces.py"]["functions"]) == 1
    assert str(tmp_path) not in path.read_text()


def test_kills_change_no_byte_of_the_report(tmp_path: Path, tree: Path) -> None:
    print(f"seed {SEED}")
    done = run(tmp_path, "--repo", str(tree), "--kill", "--kills", "4", "--seed", str(SEED))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("kill -9 engine") == 2
    assert done.stdout.count("kill -9 Go service") == 2
    assert "identical to the byte" in done.stdout
    assert "No activity with a recorded result ran again" in done.stdout


def test_a_folder_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    done = run(tmp_path, "--repo", str(tmp_path / "nowhere"))
    assert done.returncode == 2
    assert "is no folder: give one with REPO=" in done.stderr


def test_a_tree_without_sources_has_an_empty_report(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    done = run(tmp_path, "--repo", str(tmp_path / "tree"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 functions in 0 files" in done.stdout


def test_a_service_that_dies_by_itself_is_named(tmp_path: Path) -> None:
    with Services(tmp_path, tmp_path / "witness.log") as services:
        services.check()
        services.node.kill()
        with pytest.raises(ServiceError, match=r"Node service ended by itself: see .*tsaudit\.log"):
            services.check()


def test_a_seed_always_plans_the_same_kills() -> None:
    plan = plan_kills(SEED, 6, 1_000)
    assert plan == plan_kills(SEED, 6, 1_000)
    assert plan != plan_kills(SEED + 1, 6, 1_000)
    assert sorted(kill.target for kill in plan) == ["engine"] * 3 + ["go"] * 3
    points = [kill.after_attempts for kill in plan]
    assert points == sorted(points)
    assert max(points) < 1_000
