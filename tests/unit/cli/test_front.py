"""The front: usage, exit codes, and errors in one line."""

from pathlib import Path

import pytest

from perdure.cli import main
from perdure.cli._exit import ExitCode


@pytest.fixture(autouse=True)
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no store by default."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PERDURE_STORE", raising=False)


COMMANDS = [
    *("demo", "run", "worker", "dev", "doctor", "lint", "history export"),
    *(
        f"workflow {verb}"
        for verb in (
            *("list", "describe", "show", "result", "start", "cancel"),
            *("terminate", "unpark"),
        )
    ),
    *(f"batch {verb}" for verb in ("signal", "cancel", "terminate", "pause", "unpause", "unpark")),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert f"usage: perdure {command}" in capsys.readouterr().out


def test_no_command_at_all_is_wrong_usage_and_lists_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == ExitCode.USAGE
    assert "A first look:  perdure demo" in capsys.readouterr().err


def test_arguments_of_another_type_are_refused_before_a_run_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("app.py").write_text(
        "from perdure import workflow\n@workflow.defn\nasync def pay(order: str): pass\n"
    )
    assert main(["run", "app.py", "--input", "5", "--store", "file:app.db"]) == ExitCode.USAGE
    printed = capsys.readouterr().err
    assert "pay(order: str): $[0]: expected a string, found an integer" in printed
    assert main(["workflow", "list", "--store", "file:app.db"]) == ExitCode.OK
    assert "no runs" in "".join(capsys.readouterr())


def test_the_front_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "perdure demo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ("workflow list", ExitCode.USAGE, "which store? Give --store file:app.db"),
        ("workflow list --store ftp:x", ExitCode.USAGE, "only file: addresses are known"),
        ("workflow show x --store file:no.db", ExitCode.NOT_FOUND, "there is no store"),
        ("run no.py:x", ExitCode.USAGE, "there is no file no.py"),
        ("worker", ExitCode.USAGE, "what to host?"),
        ("dev", ExitCode.USAGE, "what to host?"),
        ("lint nowhere", ExitCode.USAGE, "there is no file or folder nowhere"),
        ("lint --select PRD9", ExitCode.USAGE, "there is no rule 'PRD9'"),
        ("workflow start x --input o-1 --store a.db", ExitCode.USAGE, "is no JSON"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    arguments: str, code: ExitCode, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments.split()) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert why in printed.err
    assert printed.err.count("\n") == 1


def test_the_store_may_come_from_the_configuration_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "perdure.toml").write_text('store = "file:configured.db"\n')
    assert main(["workflow", "list"]) == ExitCode.OK
    assert f"no runs in {tmp_path / 'configured.db'}" in capsys.readouterr().err
    monkeypatch.setenv("PERDURE_STORE", "file:environment.db")
    assert main(["workflow", "list"]) == ExitCode.OK
    assert "environment.db" in capsys.readouterr().err
    assert main(["workflow", "list", "--store", "file:option.db", "-o", "json"]) == ExitCode.OK
    assert capsys.readouterr().out == "[]\n"
