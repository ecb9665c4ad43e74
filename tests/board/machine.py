"""A board that runs: an emulated arm64 machine whose SSH server is reached on a port of this host's loopback."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgecheck.emulator import programs
from tests.targets.sshd import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.board.system import System

_READY = "Server listening"
_CLIENT = """\
Host *
    UserKnownHostsFile {folder}/known_hosts
    IdentityFile {folder}/client_key
    IdentitiesOnly yes
    IdentityAgent none
"""


@dataclass(frozen=True, slots=True)
class EmulatedBoard:
    """One that can be logged in to as root and as guest."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        return self.address_of("root")

    def address_of(self, user: str) -> str:
        return f"ssh://{user}@127.0.0.1:{self.port}"

    @property
    def ssh(self) -> str:
        """For EDGECHECK_SSH."""
        return f"ssh -F {self.folder / 'client.conf'}"

    def address_at(self, port: int) -> str:
        """Its address by way of a relay, whose port its host key is made known for."""
        with (self.folder / "known_hosts").open("a") as file:
            file.write(f"[127.0.0.1]:{port} {(self.folder / 'host_key.pub').read_text()}")
        return f"ssh://root@127.0.0.1:{port}"

    def run(self, command: str) -> str:
        """What a command prints there."""
        argv = [*self.ssh.split(" "), "-p", str(self.port), "root@127.0.0.1", command]
        return subprocess.run(argv, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


@contextmanager
def started(system: System, folder: Path, disk: Path, *, keeps: bool = False) -> Iterator[EmulatedBoard]:
    """Start it with that disk, which keeps what the machine writes to it; if not, that is gone with the machine."""
    for name in ("client_key", "host_key.pub"):
        shutil.copy(system.folder / name, folder / name)
    (folder / "client_key").chmod(0o600)
    (folder / "client.conf").write_text(_CLIENT.format(folder=folder))
    port = free_port()
    board = EmulatedBoard(folder, port)
    board.address_at(port)
    with subprocess.Popen(
        _argv(system, port, f"file={disk},format=raw,if=virtio,snapshot={'off' if keeps else 'on'}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if _READY in line:
                    break
            assert said, "the machine said nothing"
            assert _READY in said[-1], "".join(said)
            yield board
        finally:
            process.kill()


def _argv(system: System, port: int, drive: str) -> list[str]:
    """QEMU's; its clock is this host's. With two cores it starts sooner than with four."""
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
    return [
        *(programs.path(programs.QEMU), "-machine", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1G"),
        *("-accel", "tcg", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-serial", "stdio", "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="),
        *("-device", "virtio-rng-pci", "-kernel", str(system.folder / "kernel")),
        *("-initrd", str(system.folder / "initramfs"), "-append", "console=ttyAMA0 quiet panic=-1 mitigations=off"),
        *("-drive", drive),
    ]
