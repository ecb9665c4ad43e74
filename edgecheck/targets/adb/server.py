"""The adb server of this machine: asked over its socket what runs there, and started only where none runs.

A server of another version is ended by every adb command that a user types, which would take phones from other
programs; so versions are compared before any command is started. The protocol is that of AOSP's
packages/modules/adb/OVERVIEW.TXT and SERVICES.TXT: a request is four hexadecimal digits, its length, and its text.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import tempfile
from contextlib import ExitStack, suppress

from edgecheck.errors import TargetError, UsageError

#: The command to use instead of `adb`, with options.
VARIABLE = "EDGECHECK_ADB"

#: What to install where adb is missing.
PACKAGE = "Install it (sudo apt install adb, or Android's platform-tools), or name it in EDGECHECK_ADB."

#: Seconds for an answer of the server, and for a short command.
_ANSWER, _COMMAND = 5.0, 20.0

_PORT = 5037

_MOST = 1 << 20


def program() -> list[str]:
    """The user's adb, as a command.

    Raises:
        UsageError: EDGECHECK_ADB is not a command.
    """
    try:
        return shlex.split(os.environ.get(VARIABLE, "")) or ["adb"]
    except ValueError as error:
        raise UsageError(
            f"{VARIABLE} is not a command: {error}.", "It is written as in a shell: /opt/platform-tools/adb"
        ) from error


def place() -> tuple[str, int] | str:
    """Host and port of the server, as adb itself finds them, or the path of its socket.

    Raises:
        UsageError: a variable of adb's is not understood.
    """
    if chosen := os.environ.get("ADB_SERVER_SOCKET"):
        if chosen.startswith("localfilesystem:"):
            return chosen.partition(":")[2]
        found = re.fullmatch(r"tcp:(?:(.+):)?(\d+)", chosen)
        if found is None:
            raise UsageError(
                f"ADB_SERVER_SOCKET is {chosen!r}.", "It is written tcp:HOST:PORT or localfilesystem:PATH."
            )
        return found[1] or "127.0.0.1", int(found[2])
    port = os.environ.get("ANDROID_ADB_SERVER_PORT") or str(_PORT)
    if not port.isdigit():
        raise UsageError(f"ANDROID_ADB_SERVER_PORT is {port!r}, which is not a port.", "Unset it, or correct it.")
    return os.environ.get("ANDROID_ADB_SERVER_ADDRESS") or "127.0.0.1", int(port)


def _connected() -> socket.socket | None:
    """A connection to the server; None where none runs."""
    where = place()
    try:
        if not isinstance(where, str):
            return socket.create_connection(where, _ANSWER)
        with ExitStack() as stack:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.settimeout(_ANSWER)
            connection.connect(where)
            stack.pop_all()
    except OSError:
        return None
    return connection


def running() -> int | None:
    """The version of the server that runs, such as 41; None where none runs.

    Raises:
        TargetError: something else answers there.
    """
    answer = ask("host:version")
    if answer is None:
        return None
    try:
        return int(answer, 16)
    except ValueError as error:
        raise _not_a_server() from error


def ask(question: str) -> str | None:
    """The server's answer; None where none runs.

    Raises:
        TargetError: something else answers there, or the server refuses.
    """
    connection = _connected()
    if connection is None:
        return None
    with connection:
        try:
            connection.sendall(f"{len(question):04x}{question}".encode())
            status = _exactly(connection, 4)
            text = _exactly(connection, int(_exactly(connection, 4), 16)).decode("utf-8", "replace")
        except (OSError, ValueError) as error:
            raise _not_a_server() from error
    if status == b"FAIL":
        raise TargetError(f"The adb server refused {question!r}: {text}.", "See what it reports: adb devices -l")
    if status != b"OKAY":
        raise _not_a_server()
    return text


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < min(size, _MOST):
        piece = connection.recv(size - len(data))
        if not piece:
            raise ValueError("it was cut short")
        data += piece
    return data


def _not_a_server() -> TargetError:
    where = place()
    shown = where if isinstance(where, str) else f"{where[0]}:{where[1]}"
    return TargetError(
        f"What answers at {shown} is not an adb server.",
        "End it, or have adb use another port: ANDROID_ADB_SERVER_PORT.",
    )


def version() -> int:
    """The version of the user's adb, which the server that it can use shares; the 41 of `1.0.41`.

    Raises:
        TargetError: adb is missing, or does not say.
    """
    done = run("version")
    found = re.search(r"Android Debug Bridge version \d+\.\d+\.(\d+)", done.stdout)
    if found is None:
        raise TargetError(f"{program()[0]} does not say which version it is.", PACKAGE)
    return int(found[1])


def require() -> None:
    """Have a server that the user's adb can use; one is started only where none runs.

    Raises:
        TargetError: adb is missing, the server is of another version, or none can be started.
    """
    mine, theirs = version(), running()
    if theirs is None:
        done = run("start-server")
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise TargetError(f"adb started no server: {last.rstrip('.')}.", "Try it by hand: adb start-server")
    elif mine != theirs:
        raise TargetError(
            f"The adb server that runs here has version {theirs}, and your adb has version {mine}: it would end that "
            "server, and edgecheck does not.",
            f"Use the adb that started it ({VARIABLE}=/path/to/adb), or end it yourself: adb kill-server",
        )


def run(*arguments: str, timeout: float = _COMMAND) -> subprocess.CompletedProcess[str]:
    """Run the user's adb to its end.

    Its output goes through files: a server that it starts would hold pipes open.

    Raises:
        TargetError: it is missing, or does not end in time.
    """
    argv = [*program(), *arguments]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            done = subprocess.run(
                argv, check=False, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise TargetError(f"{argv[0]} cannot be started: {error.strerror}.", PACKAGE) from error
        except subprocess.TimeoutExpired as error:
            raise TargetError(
                f"`{shlex.join(['adb', *arguments])}` did not end within {timeout:.0f} s.",
                "Unplug the phone and plug it in again, and try it by hand: adb devices -l",
            ) from error
        out.seek(0)
        err.seek(0)
        said = [file.read(_MOST).decode("utf-8", "replace") for file in (out, err)]
    return subprocess.CompletedProcess(argv, done.returncode, *said)


def listing() -> str | None:
    """The server's list of devices, as `adb devices -l` prints it below its heading; None where no server runs."""
    with suppress(TargetError):
        return ask("host:devices-l")
    return None
