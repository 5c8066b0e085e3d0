"""What reaches out of a process, by name: what the guard refuses, and what it cannot see."""

from __future__ import annotations

__all__ = ["EVENT_CALLS", "FOREIGN", "LOOP_METHODS", "UNSEEN"]

FILE, NETWORK, PROCESS = "PRD2401", "PRD2402", "PRD2403"
DATABASE, ENVIRONMENT, THREAD = "PRD2404", "PRD2405", "PRD2502"

EVENT_CALLS: dict[str, tuple[str, str]] = {
    "open": (
        FILE,
        (
            "builtins.open io.open os.open codecs.open tokenize.open fileinput.input shelve.open "
            "dbm.open pathlib.Path.open pathlib.Path.read_bytes pathlib.Path.read_text "
            "pathlib.Path.touch pathlib.Path.write_bytes pathlib.Path.write_text"
        ),
    ),
    "mmap.__new__": (FILE, "mmap.mmap"),
    "fcntl.fcntl": (FILE, "fcntl.fcntl"),
    "fcntl.flock": (FILE, "fcntl.flock"),
    "fcntl.ioctl": (FILE, "fcntl.ioctl"),
    "fcntl.lockf": (FILE, "fcntl.lockf"),
    "glob.glob": (FILE, "glob.glob glob.iglob"),
    "os.listdir": (FILE, "os.listdir pathlib.Path.iterdir"),
    "os.scandir": (FILE, "os.scandir os.fwalk pathlib.Path.glob pathlib.Path.rglob"),
    "os.walk": (FILE, "os.walk"),
    "os.chdir": (ENVIRONMENT, "os.chdir os.fchdir"),
    "os.chmod": (FILE, "os.chmod os.fchmod pathlib.Path.chmod"),
    "os.chown": (FILE, "os.chown os.fchown os.lchown shutil.chown"),
    "os.link": (FILE, "os.link pathlib.Path.hardlink_to"),
    "os.mkdir": (FILE, "os.mkdir os.makedirs pathlib.Path.mkdir"),
    "os.remove": (FILE, "os.remove os.unlink pathlib.Path.unlink"),
    "os.removexattr": (FILE, "os.removexattr"),
    "os.rename": (
        FILE,
        "os.rename os.renames os.replace pathlib.Path.rename pathlib.Path.replace",
    ),
    "os.rmdir": (FILE, "os.rmdir os.removedirs pathlib.Path.rmdir"),
    "os.setxattr": (FILE, "os.setxattr"),
    "os.symlink": (FILE, "os.symlink pathlib.Path.symlink_to"),
    "os.truncate": (FILE, "os.truncate os.ftruncate"),
    "os.utime": (FILE, "os.utime"),
    "shutil.copyfile": (FILE, "shutil.copyfile shutil.copy shutil.copy2"),
    "shutil.copytree": (FILE, "shutil.copytree"),
    "shutil.make_archive": (FILE, "shutil.make_archive"),
    "shutil.move": (FILE, "shutil.move"),
    "shutil.rmtree": (FILE, "shutil.rmtree"),
    "shutil.unpack_archive": (FILE, "shutil.unpack_archive"),
    "tempfile.mkdtemp": (FILE, "tempfile.mkdtemp tempfile.TemporaryDirectory"),
    "tempfile.mkstemp": (
        FILE,
        "tempfile.mkstemp tempfile.NamedTemporaryFile tempfile.TemporaryFile",
    ),
    "ftplib.connect": (NETWORK, "ftplib.FTP ftplib.FTP_TLS"),
    "http.client.connect": (NETWORK, "http.client.HTTPConnection http.client.HTTPSConnection"),
    "imaplib.open": (NETWORK, "imaplib.IMAP4 imaplib.IMAP4_SSL"),
    "poplib.connect": (NETWORK, "poplib.POP3 poplib.POP3_SSL"),
    "smtplib.connect": (NETWORK, "smtplib.SMTP smtplib.SMTP_SSL"),
    "socket.__new__": (NETWORK, "socket.socket socket.socketpair"),
    "socket.bind": (NETWORK, "socket.socket.bind socket.create_server"),
    "socket.connect": (NETWORK, "socket.socket.connect socket.create_connection"),
    "socket.getaddrinfo": (NETWORK, "socket.getaddrinfo"),
    "socket.gethostbyaddr": (NETWORK, "socket.gethostbyaddr socket.getfqdn"),
    "socket.gethostbyname": (NETWORK, "socket.gethostbyname socket.gethostbyname_ex"),
    "socket.gethostname": (ENVIRONMENT, "socket.gethostname"),
    "socket.getnameinfo": (NETWORK, "socket.getnameinfo"),
    "socket.sendmsg": (NETWORK, "socket.socket.sendmsg"),
    "socket.sendto": (NETWORK, "socket.socket.sendto"),
    "urllib.Request": (NETWORK, "urllib.request.urlopen urllib.request.urlretrieve"),
    "webbrowser.open": (PROCESS, "webbrowser.open webbrowser.open_new webbrowser.open_new_tab"),
    "os.exec": (
        PROCESS,
        "os.execl os.execle os.execlp os.execlpe os.execv os.execve os.execvp os.execvpe",
    ),
    "os.fork": (PROCESS, "os.fork"),
    "os.forkpty": (PROCESS, "os.forkpty"),
    "os.posix_spawn": (PROCESS, "os.posix_spawn os.posix_spawnp"),
    "os.spawn": (
        PROCESS,
        "os.spawnl os.spawnle os.spawnlp os.spawnlpe os.spawnv os.spawnve os.spawnvp os.spawnvpe",
    ),
    "os.system": (PROCESS, "os.system"),
    "pty.spawn": (PROCESS, "pty.spawn"),
    "subprocess.Popen": (
        PROCESS,
        (
            "subprocess.Popen subprocess.call subprocess.check_call subprocess.check_output "
            "subprocess.getoutput subprocess.getstatusoutput subprocess.run os.popen "
            "asyncio.create_subprocess_exec asyncio.create_subprocess_shell"
        ),
    ),
    "os.kill": (PROCESS, "os.kill"),
    "os.killpg": (PROCESS, "os.killpg"),
    "signal.pthread_kill": (PROCESS, "signal.pthread_kill"),
    "_thread.start_joinable_thread": (THREAD, "threading.Thread"),
    "_thread.start_new_thread": (THREAD, "_thread.start_new_thread"),
    "sqlite3.connect": (DATABASE, "sqlite3.connect"),
    "os.putenv": (ENVIRONMENT, "os.putenv"),
    "os.unsetenv": (ENVIRONMENT, "os.unsetenv"),
}
"""Calls that raise an audit event which the guard refuses: the code, and the calls' names."""

UNSEEN: dict[str, str] = {
    FILE: (
        "os.access os.lstat os.mkfifo os.read os.readlink os.stat os.statvfs os.write "
        "os.path.exists os.path.getatime os.path.getctime os.path.getmtime os.path.getsize "
        "os.path.isdir os.path.isfile os.path.islink os.path.ismount os.path.lexists "
        "os.path.realpath os.path.samefile pathlib.Path.exists pathlib.Path.is_dir "
        "pathlib.Path.is_file pathlib.Path.is_mount pathlib.Path.is_symlink pathlib.Path.lstat "
        "pathlib.Path.readlink pathlib.Path.resolve pathlib.Path.samefile pathlib.Path.stat "
        "shutil.disk_usage shutil.which"
    ),
    NETWORK: (
        "asyncio.open_connection asyncio.open_unix_connection asyncio.start_server "
        "asyncio.start_unix_server select.select"
    ),
    PROCESS: "os.abort os._exit os.wait os.waitpid signal.alarm signal.raise_signal "
    "signal.setitimer signal.signal",
    ENVIRONMENT: (
        "getpass.getuser locale.getlocale locale.setlocale multiprocessing.cpu_count "
        "os.cpu_count os.get_terminal_size os.getcwd os.getcwdb os.getenv os.getenvb "
        "os.getlogin os.getloadavg os.getpid os.getppid os.getuid os.sched_getaffinity os.uname "
        "os.path.abspath os.path.expanduser os.path.expandvars pathlib.Path.absolute "
        "pathlib.Path.cwd pathlib.Path.expanduser pathlib.Path.home platform.machine "
        "platform.node platform.platform platform.processor platform.release platform.system "
        "platform.uname platform.version shutil.get_terminal_size threading.get_ident "
        "threading.get_native_id"
    ),
}
"""Calls that no audit event tells of, or that the loop refuses: only the linter sees the rest."""

FOREIGN: dict[str, str] = {
    NETWORK: (
        "aiohttp.ClientSession aiohttp.request anthropic.Anthropic anthropic.AsyncAnthropic "
        "boto3.Session boto3.client boto3.resource grpc.insecure_channel grpc.secure_channel "
        "httpx.AsyncClient httpx.Client httpx.delete httpx.get httpx.head httpx.options "
        "httpx.patch httpx.post httpx.put httpx.request httpx.stream openai.AsyncOpenAI "
        "openai.OpenAI redis.Redis redis.from_url requests.Session requests.delete requests.get "
        "requests.head requests.options requests.patch requests.post requests.put "
        "requests.request urllib3.PoolManager urllib3.request websockets.connect"
    ),
    DATABASE: (
        "MySQLdb.connect aiosqlite.connect asyncpg.connect asyncpg.create_pool duckdb.connect "
        "psycopg.connect psycopg.AsyncConnection.connect psycopg2.connect pymongo.MongoClient "
        "pymysql.connect sqlalchemy.create_engine sqlalchemy.ext.asyncio.create_async_engine"
    ),
}
"""Well-known libraries whose calls open connections: the guard refuses those, at run time."""

LOOP_METHODS: dict[str, str] = {
    NETWORK: (
        "add_reader add_writer connect_accepted_socket create_connection "
        "create_datagram_endpoint create_server create_unix_connection create_unix_server "
        "getaddrinfo getnameinfo remove_reader remove_writer sendfile sock_accept sock_connect "
        "sock_recv sock_recv_into sock_recvfrom sock_recvfrom_into sock_sendall sock_sendfile "
        "sock_sendto start_tls"
    ),
    PROCESS: (
        "add_signal_handler connect_read_pipe connect_write_pipe remove_signal_handler "
        "subprocess_exec subprocess_shell"
    ),
}
"""Methods of the running loop that are refused because they reach out."""
