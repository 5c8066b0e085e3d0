"""`perdure.toml` and `[tool.perdure]`: what they say, and what is refused."""

from pathlib import Path

import pytest

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError

WHOLE = """
store = "file:data/app.db"
namespace = "shop"
modules = ["shop.workflows", "more.py"]

[nats]
url = "nats://example:4222"
user = "ada"
password = "secret"

[services.goaudit]
command = ["./goaudit", "--fast"]
directory = "services/goaudit"
processes = 2
environment = { LEVEL = "info" }

[services.badges]
command = ["node", "badges.mjs"]
transport = "stdio"
"""


def test_everything_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text(WHOLE)
    inside = tmp_path / "a/b"
    inside.mkdir(parents=True)
    found = Configuration.find(inside)
    assert found.directory == tmp_path
    assert found.store == f"file:{tmp_path}/data/app.db"
    assert found.namespace == "shop"
    assert found.modules == ("shop.workflows", f"{tmp_path}/more.py")
    assert found.nats is not None
    assert (found.nats.url, found.nats.user) == ("nats://example:4222", ("ada", "secret"))
    goaudit, badges = found.services
    assert goaudit.command == ("./goaudit", "--fast")
    assert goaudit.directory == tmp_path / "services/goaudit"
    assert (goaudit.processes, goaudit.transport) == (2, "nats")
    assert goaudit.environment == {"LEVEL": "info"}
    assert (badges.processes, badges.transport) == (1, "stdio")
    assert badges.over_stdio().directory == tmp_path


def test_a_project_file_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.perdure]\nmodules = ["app"]\n')
    assert Configuration.find(tmp_path).modules == ("app",)


def test_a_project_file_without_a_word_of_it_is_passed_by(tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text('modules = ["above"]\n')
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "pyproject.toml").write_text("[tool.other]\n")
    assert Configuration.find(inside).modules == ("above",)


def test_without_nats_services_speak_over_stdio(tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text('[services.a]\ncommand = ["a"]\n')
    (service,) = Configuration.find(tmp_path).services
    assert service.transport == "stdio"
    assert service.max_concurrent is None


def test_a_service_may_have_a_limit(tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text('[services.a]\ncommand = ["a"]\nmax_concurrent = 8\n')
    (service,) = Configuration.find(tmp_path).services
    assert service.max_concurrent == 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("stor = 'file:a'", "'stor' means nothing here: do you mean 'store'"),
        ("modules = 'app'", "modules must be a list of texts"),
        ("modules = [1]", "modules must be a list of texts"),
        ("store = 1", "store must be a text"),
        ("[services.a]", r"\[services.a\]: command is missing"),
        ("[services.a]\ncommand = ['a']\nprocesses = 0", "processes must be at least 1"),
        ("[services.a]\ncommand = ['a']\nprocesses = true", "processes must be a number"),
        ("[services.a]\ncommand = ['a']\nmax_concurrent = -1", "max_concurrent must be at least"),
        ("[services.a]\ncommand = ['a']\ntransport = 'http'", "transport is 'http'"),
        ("[services.a]\ncommand = ['a']\ntransport = 'nats'", r"add a \[nats\] table"),
        ("[nats]\naddr = 'x'", r"\[nats\]: 'addr' means nothing here"),
        ("store = ", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "perdure.toml").write_text(text)
    with pytest.raises(CommandError, match=why) as refused:
        Configuration.find(tmp_path)
    assert str(refused.value).startswith(str(tmp_path / "perdure.toml"))
