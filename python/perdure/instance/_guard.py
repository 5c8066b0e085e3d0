"""Refused by guard: what reaches out of workflow code, at the line that does it.

CPython raises an audit event before it opens a file, connects a socket or starts a process. The
native hook calls `judge` for the events named here, and only while workflow code is stepped.
Imports, source lines for tracebacks, time zones and log files pass: they are the interpreter's
own business.
"""

from __future__ import annotations

import contextlib
import sys
import zoneinfo
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure._core import _native
from perdure.instance._refusal import refusal

if TYPE_CHECKING:
    from collections.abc import Generator
    from types import FrameType

__all__ = ["guarded", "install_guard", "is_interpreter", "judge", "unguarded"]


class _Refused(NamedTuple):
    what: str
    activity: str


_OPEN = _Refused("Opening a file", "read_file(path: str) -> str")
_FOLDER = _Refused("Reading a folder", "list_files(folder: str) -> list[str]")
_CHANGE = _Refused("Changing the file system", "write_report(path: str, text: str) -> None")
_SOCKET = _Refused("Using the network", "fetch(url: str) -> str")
_PROCESS = _Refused("Starting a process", "run_command(arguments: list[str]) -> str")
_SIGNAL = _Refused("Signalling a process", "stop_process(process_id: int) -> None")
_THREAD = _Refused("Starting a thread", "compute(data: bytes) -> bytes")
_DATABASE = _Refused("Using a database", "load_order(order_id: str) -> Order")
_SYSTEM = _Refused("Changing the process", "configure(setting: str) -> None")

_EVENTS: dict[str, _Refused] = {
    "open": _OPEN,
    "mmap.__new__": _OPEN,
    "fcntl.fcntl": _OPEN,
    "fcntl.flock": _OPEN,
    "fcntl.ioctl": _OPEN,
    "fcntl.lockf": _OPEN,
    "glob.glob": _FOLDER,
    "os.listdir": _FOLDER,
    "os.scandir": _FOLDER,
    "os.walk": _FOLDER,
    "os.chdir": _SYSTEM,
    "os.chmod": _CHANGE,
    "os.chown": _CHANGE,
    "os.link": _CHANGE,
    "os.mkdir": _CHANGE,
    "os.remove": _CHANGE,
    "os.removexattr": _CHANGE,
    "os.rename": _CHANGE,
    "os.rmdir": _CHANGE,
    "os.setxattr": _CHANGE,
    "os.symlink": _CHANGE,
    "os.truncate": _CHANGE,
    "os.utime": _CHANGE,
    "shutil.copyfile": _CHANGE,
    "shutil.copytree": _CHANGE,
    "shutil.make_archive": _CHANGE,
    "shutil.move": _CHANGE,
    "shutil.rmtree": _CHANGE,
    "shutil.unpack_archive": _CHANGE,
    "tempfile.mkdtemp": _CHANGE,
    "tempfile.mkstemp": _CHANGE,
    "ftplib.connect": _SOCKET,
    "http.client.connect": _SOCKET,
    "imaplib.open": _SOCKET,
    "poplib.connect": _SOCKET,
    "smtplib.connect": _SOCKET,
    "socket.__new__": _SOCKET,
    "socket.bind": _SOCKET,
    "socket.connect": _SOCKET,
    "socket.getaddrinfo": _SOCKET,
    "socket.gethostbyaddr": _SOCKET,
    "socket.gethostbyname": _SOCKET,
    "socket.gethostname": _SOCKET,
    "socket.getnameinfo": _SOCKET,
    "socket.sendmsg": _SOCKET,
    "socket.sendto": _SOCKET,
    "urllib.Request": _SOCKET,
    "webbrowser.open": _SOCKET,
    "os.exec": _PROCESS,
    "os.fork": _PROCESS,
    "os.forkpty": _PROCESS,
    "os.posix_spawn": _PROCESS,
    "os.spawn": _PROCESS,
    "os.system": _PROCESS,
    "pty.spawn": _PROCESS,
    "subprocess.Popen": _PROCESS,
    "os.kill": _SIGNAL,
    "os.killpg": _SIGNAL,
    "signal.pthread_kill": _SIGNAL,
    "_thread.start_joinable_thread": _THREAD,
    "_thread.start_new_thread": _THREAD,
    "sqlite3.connect": _DATABASE,
    "os.putenv": _SYSTEM,
    "os.unsetenv": _SYSTEM,
}

# Files that the interpreter itself reads: code in these may open what it needs.
_PASSING_FILES = ("<frozen importlib", "<frozen zipimport")
_PASSING_MODULES = (
    "encodings", "importlib", "linecache", "logging", "pkgutil", "tokenize", "traceback",
    "warnings", "zoneinfo",
)  # fmt: skip
_HOST_MODULES = ("asyncio.events", "asyncio.base_events", "asyncio.runners", "uvloop")
_TIME_ZONES = tuple(f"{Path(folder)}/" for folder in zoneinfo.TZPATH)


class _Permission:
    """One `with unguarded()` block. Tasks begun inside inherit it, and lose it with the block."""

    __slots__ = ("active",)

    def __init__(self) -> None:
        self.active = True


_permission: ContextVar[_Permission | None] = ContextVar("perdure_permission", default=None)


def guarded() -> bool:
    """Whether the guards bind the calling code."""
    permission = _permission.get()
    return permission is None or not permission.active


@contextlib.contextmanager
def unguarded() -> Generator[None]:
    """A block in which workflow code may do what the guards refuse. What it does there must not
    change what the workflow does: it happens again on every replay.
    """
    permission = _Permission()
    token = _permission.set(permission)
    try:
        yield
    finally:
        permission.active = False
        with contextlib.suppress(ValueError):
            # Closed from another context, as an evicted coroutine is.
            _permission.reset(token)


def judge(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuses an audit event of workflow code, unless it is the interpreter's own business.

    Raises:
        NondeterminismError: What the event reaches is not part of the run.
    """
    refused = _EVENTS.get(event)
    if refused is None or not guarded() or _is_time_zone(event, arguments) or is_interpreter():
        return
    detail = f" ({arguments[0]!r})" if arguments and isinstance(arguments[0], str) else ""
    raise refusal(
        f"{refused.what}{detail}",
        f"Write an activity, `@activity.defn def {refused.activity}`, and await it; or wrap the "
        "line in `with workflow.unsafe.unguarded():` if nothing depends on what it gives.",
    )


def _is_time_zone(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open" or not arguments:
        return False
    path = arguments[0]
    return isinstance(path, str) and (path.startswith(_TIME_ZONES) or "/tzdata/zoneinfo/" in path)


def is_interpreter() -> bool:
    """Whether an import, a traceback, a log record or the like is what asks."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if frame.f_code.co_filename.startswith(_PASSING_FILES):
            return True
        if module.split(".", 1)[0] in _PASSING_MODULES:
            return True
        if module.startswith(_HOST_MODULES):
            # From here on it is the host's own loop, and none of the workflow's business.
            return False
        frame = frame.f_back
    return False


def install_guard() -> None:
    """Installs the audit hook. It cannot be taken out; the caller sees that it happens once."""
    _native.install_guard(set(_EVENTS), judge)
