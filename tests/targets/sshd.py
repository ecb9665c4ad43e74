"""A real sshd on loopback, with its own home folder: this machine as a board that is reached by SSH."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
USER = getpass.getuser()


@dataclass(frozen=True, slots=True)
class Board:
    """One sshd, and where its user's files are."""

    folder: Path
    port: int
    process: subprocess.Popen[str]

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "edgecheck"

    @property
    def jobs(self) -> list[Path]:
        """What is left of checks; nothing is, mostly."""
        return [path for name in ("jobs", "left") for path in (self.cache / "device" / name).glob("*")]

    @property
    def address(self) -> str:
        return f"ssh://{USER}@127.0.0.1:{self.port}"

    @property
    def ssh(self) -> str:
        """For EDGECHECK_SSH."""
        return f"ssh -F {self.folder / 'client.conf'}"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def know(self, port: int) -> None:
        """Have its host key known under another port, too."""
        _, key = self.known_hosts.read_text().splitlines()[0].split(" ", 1)
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{port} {key}\n")

    def force(self, command: str) -> None:
        """Have sshd run this instead of what it is asked to, which is in $SSH_ORIGINAL_COMMAND."""
        keys = self.folder / "authorized_keys"
        quoted = command.replace('"', '\\"')
        keys.write_text(f'command="{quoted}" {keys.read_text()}')

    def processes(self, word: str = "") -> list[psutil.Process]:
        """What sshd runs for its clients, with `word` in its command line."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in found if word in " ".join(_command(one))]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def new_key(path: Path) -> str:
    """Make a key pair; the public one."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@contextmanager
def started(folder: Path, settings: str = "", **environment: str) -> Iterator[Board]:
    """A board in `folder`; `settings` are sshd's, `environment` is what its user's commands see."""
    assert PROGRAM, "these tests need sshd: sh tools/debian-packages.sh"
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "authorized_keys").write_text(new_key(folder / "client_key") + "\n")
    host_key = new_key(folder / "host_key")
    seen = {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "EDGECHECK_LOCK": str(folder / "measuring.lock"),  # it is a device of its own
        **environment,
    }
    variables = " ".join(f'"{name}={value}"' for name, value in seen.items())
    (folder / "sshd.conf").write_text(settings + _SERVER.format(folder=folder, variables=variables))
    (folder / "client.conf").write_text(_CLIENT.format(folder=folder))
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    port = free_port()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    argv = [PROGRAM, "-D", "-e", "-f", str(folder / "sshd.conf"), "-p", str(port)]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stderr is not None
        first = process.stderr.readline()
        assert "Server listening" in first, first + process.stderr.read()
        yield Board(folder, port, process)
    finally:
        for one in _below(process):
            one.kill()
        process.kill()
        process.communicate()


def _below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """What it started; nothing where a test has ended it."""
    return psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []


def free_port() -> int:
    """A port on which nothing listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


_SERVER = """\
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
SetEnv {variables}
"""

_CLIENT = """\
Host *
    UserKnownHostsFile {folder}/known_hosts
    IdentityFile {folder}/client_key
    IdentitiesOnly yes
    IdentityAgent none
"""
