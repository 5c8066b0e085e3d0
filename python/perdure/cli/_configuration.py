"""`perdure.toml`, or `[tool.perdure]` in pyproject.toml: what belongs to a project.

```toml
store = "file:app.db"
modules = ["shop.workflows", "activities.py"]
codec = "shop.crypto:converter"

[nats]
url = "nats://127.0.0.1:4222"

[services.goaudit]
command = ["./goaudit"]
directory = "services/goaudit"
processes = 2
max_concurrent = 8
```
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from perdure.cli._exit import CommandError
from perdure.worker import NatsOptions, StdioService

__all__ = ["Configuration", "ServiceConfiguration"]

Value = TypeVar("Value")
_NAME = "perdure.toml"


@dataclass(frozen=True, slots=True)
class ServiceConfiguration:
    """A service in another language, and how its workers are started."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: dict[str, str]
    processes: int
    transport: str
    """`nats` or `stdio`."""
    max_concurrent: int | None
    """Most attempts at once, over all of its workers; None for as many as they take."""

    def over_stdio(self) -> StdioService:
        """The service as the engine itself starts it."""
        return StdioService(
            self.name, self.command, self.directory, self.environment, self.processes
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a project says of itself; every part may be missing."""

    directory: Path
    """Where the configuration stands: relative paths begin there."""
    file: Path | None = None
    store: str | None = None
    namespace: str = "default"
    modules: tuple[str, ...] = ()
    codec: str | None = None
    """What payloads are encoded with: a data converter or a codec, as `module:object`."""
    interceptors: tuple[str, ...] = ()
    """What stands around workers, clients and replays, each as `module:object`."""
    nats: NatsOptions | None = None
    services: tuple[ServiceConfiguration, ...] = field(default=())

    @classmethod
    def find(cls, directory: Path) -> Configuration:
        """The configuration of the nearest folder upward that has one; else an empty one.

        Raises:
            CommandError: It is not as it must be.
        """
        for folder in (directory, *directory.parents):
            own = folder / _NAME
            if own.is_file():
                return cls.read(own)
            project = folder / "pyproject.toml"
            if project.is_file() and "perdure" in _toml(project).get("tool", {}):
                return cls.read(project)
        return cls(directory)

    @classmethod
    def read(cls, path: Path) -> Configuration:
        """The configuration in a file.

        Raises:
            CommandError: It is not as it must be.
        """
        fields = _toml(path)
        if path.name == "pyproject.toml":
            fields = fields.get("tool", {}).get("perdure", {})
        directory = path.absolute().parent
        table = _Table(fields, path, "")
        nats = table.table("nats")
        services = table.table("services")
        configuration = cls(
            directory=directory,
            file=path,
            store=_address(table.text("store"), directory),
            namespace=table.text("namespace") or "default",
            modules=tuple(_module(each, directory) for each in table.texts("modules")),
            codec=_object(table.text("codec"), directory),
            interceptors=tuple(_named(each, directory) for each in table.texts("interceptors")),
            nats=None if nats is None else _nats(nats, directory),
            services=()
            if services is None
            else tuple(_service(each, directory, nats is not None) for each in services.tables()),
        )
        table.finish()
        return configuration


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CommandError(f"{path}: {error}") from error


def _address(store: str | None, directory: Path) -> str | None:
    if store is None:
        return None
    scheme, colon, rest = store.partition(":")
    if colon and scheme != "file":
        return store
    return f"file:{directory / Path(rest if colon else store).expanduser()}"


def _module(name: str, directory: Path) -> str:
    return str(directory / name) if name.endswith(".py") else name


def _object(name: str | None, directory: Path) -> str | None:
    return None if name is None else _named(name, directory)


def _named(name: str, directory: Path) -> str:
    target, colon, attribute = name.rpartition(":")
    return _module(target, directory) + colon + attribute


def _nats(table: _Table, directory: Path) -> NatsOptions:
    def file(name: str) -> Path | None:
        given = table.text(name)
        return None if given is None else directory / Path(given).expanduser()

    user, password = table.text("user"), table.text("password")
    certificate, key = file("certificate_file"), file("key_file")
    options = NatsOptions(
        url=table.text("url"),
        token=table.text("token"),
        user=None if user is None else (user, password or ""),
        credentials_file=file("credentials_file"),
        nkey_seed_file=file("nkey_seed_file"),
        authority_file=file("authority_file"),
        certificate_files=None if certificate is None or key is None else (certificate, key),
    )
    table.finish()
    return options


def _service(table: _Table, directory: Path, has_nats: bool) -> ServiceConfiguration:
    name = table.name.rpartition(".")[2]
    command = tuple(table.texts("command"))
    if not command:
        table.refuse('command is missing: write command = ["program", "argument"]')
    processes = table.number("processes", 1)
    if processes < 1:
        table.refuse("processes must be at least 1")
    most = table.number("max_concurrent", 0)
    if most < 0:
        table.refuse("max_concurrent must be at least 1")
    transport = table.text("transport") or ("nats" if has_nats else "stdio")
    if transport not in {"nats", "stdio"}:
        table.refuse(f'transport is {transport!r}: write "nats" or "stdio"')
    if transport == "nats" and not has_nats:
        table.refuse("transport is nats: add a [nats] table, an empty one starts a server")
    environment = table.table("environment")
    service = ServiceConfiguration(
        name=name,
        command=command,
        directory=directory / Path(table.text("directory") or ".").expanduser(),
        environment={} if environment is None else environment.all_texts(),
        processes=processes,
        transport=transport,
        max_concurrent=most or None,
    )
    table.finish()
    return service


class _Table:
    """A table that is read key by key; a key that nobody has asked for is a mistake."""

    def __init__(self, fields: dict[str, Any], path: Path, name: str) -> None:
        self.name = name
        self._fields = fields
        self._path = path
        self._known: set[str] = set()

    def text(self, key: str) -> str | None:
        return self._get(key, str, "a text")

    def number(self, key: str, default: int) -> int:
        found = self._get(key, int, "a number")
        return default if found is None else found

    def texts(self, key: str) -> list[str]:
        found = cast("list[Any]", self._get(key, list, "a list of texts") or [])
        if not all(isinstance(each, str) for each in found):
            self.refuse(f"{key} must be a list of texts")
        return found

    def table(self, key: str) -> _Table | None:
        found = cast("dict[str, Any] | None", self._get(key, dict, "a table"))
        return None if found is None else _Table(found, self._path, self._name_of(key))

    def tables(self) -> Iterator[_Table]:
        for key in self._fields:
            table = self.table(key)
            if table is not None:
                yield table

    def all_texts(self) -> dict[str, str]:
        return {key: self.text(key) or "" for key in self._fields}

    def refuse(self, why: str) -> None:
        place = f" [{self.name}]" if self.name else ""
        raise CommandError(f"{self._path}{place}: {why}")

    def finish(self) -> None:
        for key in self._fields:
            if key not in self._known:
                near = difflib.get_close_matches(key, self._known, n=1)
                hint = f": do you mean {near[0]!r}?" if near else f": known are {self._names()}"
                self.refuse(f"{key!r} means nothing here{hint}")

    def _names(self) -> str:
        return ", ".join(sorted(self._known))

    def _name_of(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def _get(self, key: str, kind: type[Value], wanted: str) -> Value | None:
        self._known.add(key)
        found = self._fields.get(key)
        if found is None:
            return None
        if not isinstance(found, kind) or isinstance(found, bool):
            self.refuse(f"{key} must be {wanted}")
        return cast("Value", found)
