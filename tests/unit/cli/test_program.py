"""What files and modules define, and why one cannot be used."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.cli._exit import CommandError
from perdure.cli._program import load

SHOP = """
from perdure import activity, workflow

badges = activity.service("badges")

@activity.defn
async def price(order: str) -> int:
    return 1

@badges.activity
async def badge(name: str) -> str: ...

@workflow.defn(name="pay")
async def checkout(order: str) -> int:
    return await price(order)

@workflow.defn
class Entity:
    @workflow.run
    async def run(self) -> None: ...
"""


@pytest.fixture(autouse=True)
def unchanged_imports() -> Iterator[None]:
    """Modules of a test's folder are forgotten after it."""
    modules, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_file_gives_what_it_defines(tmp_path: Path) -> None:
    file = tmp_path / "shop_of_test.py"
    file.write_text(SHOP)
    program = load([str(file)])
    assert set(program.workflows) == {"pay", "Entity"}
    assert set(program.activities) == {"price"}
    assert program.services == {"badges"}
    assert program.workflow("checkout", "shop.py").name == "pay"
    assert program.workflow("pay", "shop.py").name == "pay"


def test_a_file_of_a_package_is_its_submodule(tmp_path: Path) -> None:
    package = tmp_path / "package_of_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "prices.py").write_text(
        "from perdure import activity\n@activity.defn\ndef price() -> int: return 1\n"
    )
    (package / "flows.py").write_text(
        "from perdure import workflow\nfrom package_of_test.prices import price\n"
        "@workflow.defn\nasync def flow() -> int: return await price()\n"
    )
    program = load([str(package / "flows.py")])
    assert program.workflows["flow"].__module__ == "package_of_test.flows"
    assert set(program.activities) == {"price"}


def test_a_dotted_name_is_looked_for_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "dotted_of_test.py").write_text(SHOP)
    assert set(load(["dotted_of_test"], tmp_path).activities) == {"price"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import nowhere_at_all\n", r"ModuleNotFoundError: .*nowhere_at_all.* \(broken_\d+.py:1\)"),
        ("x = 1\n\n1 / 0\n", r"ZeroDivisionError: division by zero \(broken_\d+.py:3\)"),
        ("def (\n", "SyntaxError: invalid syntax"),
        ("x = 1\n", "neither workflow nor activity in there"),
    ],
)
def test_what_cannot_be_used_says_why_in_a_line(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / f"broken_{abs(hash(text))}.py"
    file.write_text(text)
    with pytest.raises(CommandError, match=why) as refused:
        load([str(file)])
    assert "\n" not in str(refused.value)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text(SHOP)
    with pytest.raises(CommandError, match="give the file another name"):
        load([str(file)])


def test_which_workflow_must_be_clear(tmp_path: Path) -> None:
    file = tmp_path / "several_of_test.py"
    file.write_text(SHOP)
    program = load([str(file)])
    with pytest.raises(CommandError, match=r"defines Entity, pay: write shop.py:NAME"):
        program.workflow(None, "shop.py")
    with pytest.raises(CommandError, match=r"no workflow 'other'; its workflows: Entity, pay"):
        program.workflow("other", "shop.py")
