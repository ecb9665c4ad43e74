"""A root file system in a tar from the user: examined first, then unpacked into one folder."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from edgecheck.emulator import packages, programs
from edgecheck.errors import EmulatorError

#: ELF's e_machine: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_ARM64 = 183
_PROCESSORS = {3: "x86", 40: "32-bit Arm", 62: "x86-64", 243: "RISC-V"}


def names(tar: Path) -> list[str]:
    """The paths of the files in a tar.

    Raises:
        EmulatorError: it is not a tar, or cut short; it is an image with layers; it would write outside of a folder.
    """
    try:
        with tarfile.open(tar) as archive:
            members = archive.getmembers()
    except (OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        reason = str(error).partition("\n")[0].rstrip(":.") or type(error).__name__
        raise EmulatorError(f"{tar} cannot be read as a tar: {reason}.", packages.HINT) from error
    for member in members:
        if problem := _problem(member):
            raise EmulatorError(f"{tar.name} is not unpacked: {member.name!r} {problem}.", packages.HINT)
    found = [member.name.removeprefix("./") for member in members]
    if {"manifest.json", "oci-layout"} & set(found):
        raise EmulatorError(
            f"{tar.name} is an image with layers, as `docker save` writes it, and not a file system.",
            "Build it with --output type=tar,dest=rootfs.tar, or use the output of `docker export`.",
        )
    return found


def unpack(tar: Path, tree: Path, touched: Iterable[str]) -> None:
    """Unpack into the new folder `tree`, without device nodes.

    Args:
        tar: Examined by `names`.
        tree: Created here.
        touched: Paths that are read, written or removed in the tree afterwards: links must not lead them elsewhere.

    Raises:
        EmulatorError: the tar cannot be unpacked, or a link leads one of `touched` out of `tree`.
    """
    tree.mkdir()
    programs.run(("tar", "-xf", str(tar), "-C", str(tree), "--no-same-owner", "--exclude=dev/*", "--exclude=./dev/*"))
    root = os.path.realpath(tree)
    for place in touched:
        if os.path.commonpath((root, os.path.realpath(tree / place))) != root:
            raise EmulatorError(f"In {tar.name} a link leads {place} out of the system.", packages.HINT)
    tree.chmod(0o755)
    for folder, names, _ in os.walk(tree):  # an image may have folders that their owner cannot write to, / among them
        for path in (os.path.join(folder, name) for name in names):  # noqa: PTH118 - thousands: no object for each
            if not os.path.islink(path):  # noqa: PTH114
                os.chmod(path, os.lstat(path).st_mode | stat.S_IRWXU)  # noqa: PTH101


def require_arm64(tree: Path, program: str) -> None:
    """Check that a program of the tree is for arm64.

    Raises:
        EmulatorError: it is for another processor, or it is not a program.
    """
    machine = _machine(tree / program)
    if machine != _ARM64:
        kind = "not a program" if machine is None else f"for {_PROCESSORS.get(machine, 'another processor')}"
        raise EmulatorError(
            f"The system is not for arm64: its {program} is {kind}.",
            "Build the stage `machine` of Dockerfile.arm64 with --platform linux/arm64.",
        )


def _machine(program: Path) -> int | None:
    """ELF's number of its processor; None if it is not an ELF file."""
    if not program.is_file():
        return None
    with program.open("rb") as file:
        header = file.read(20)
    return struct.unpack_from("<H", header, 18)[0] if header[:4] == b"\x7fELF" and header[19:] else None


def _problem(member: tarfile.TarInfo) -> str:
    """Why it is not unpacked; empty if nothing is wrong with it."""
    linked = [member.linkname] if member.islnk() else []
    for name in (member.name, *linked):
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            return (
                "leads out of the system" if name == member.name else f"is a hard link to {name!r}, out of the system"
            )
    if member.isdev() and PurePosixPath(member.name).parts[0] != "dev":
        return "is a device or a pipe"
    return ""
