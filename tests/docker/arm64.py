"""Commands for which this kernel runs arm64 programs, in a separate user namespace: nothing else here changes.

From Linux 6.7 on each user namespace may mount its own binfmt_misc, which goes when its last process has ended:
https://docs.kernel.org/admin-guide/binfmt-misc.html
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import time
from pathlib import Path

QEMU = "/usr/bin/qemu-aarch64-static"

#: The bytes at the start of an arm64 program, and what runs it; F: opened now, since it is not in the images.
_FORMAT = (
    r":qemu-aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
    r":\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:" + QEMU + ":F"
)
#: QEMU 7.2 shows arm64 programs this machine's /proc/cpuinfo, with which litert and onnxruntime fail.
_CPU = """\
processor\t: {number}
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd03
CPU revision\t: 4

"""
_SCRIPT = """\
set -e
mount -t proc proc /proc
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
printf %s "$1" > /proc/sys/fs/binfmt_misc/register
mount --bind "$2" /proc/cpuinfo
shift 2
exec "$@"
"""
_NAMESPACES = ("unshare", "--user", "--mount", "--pid", "--fork", "--kill-child")

#: Seconds, on a busy host.
_DEADLINE = 1500.0


def run(*argv: str, folder: Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command and wait for it; whatever it started ends with it.

    Args:
        argv: The command.
        folder: For a file that the command's /proc shows; the command does not see it otherwise.
        cwd: Where it runs.
    """
    if platform.machine() == "aarch64":
        return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=cwd, stdin=subprocess.DEVNULL)
    processors = folder / "cpuinfo"
    processors.write_text("".join(_CPU.format(number=number) for number in range(os.cpu_count() or 1)))
    # The users are mapped from outside, by root; a shell that is started afterwards has root's rights inside.
    waiting = (*_NAMESPACES, "sh", "-c", 'read -r _ && exec sh -c "$@"', "sh", _SCRIPT, "sh", _FORMAT, str(processors))
    with subprocess.Popen(
        [*waiting, *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=cwd,
    ) as process:
        try:
            _map_users(process.pid)
            out, err = process.communicate("go\n", timeout=_DEADLINE)
        finally:
            process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def why_not(folder: Path) -> str:
    """Why this host cannot; empty where it can."""
    wanted = [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]
    if platform.machine() != "aarch64" and not Path(QEMU).exists():
        wanted.append("qemu-user-static")
    if wanted:
        return f"{', '.join(wanted)} not installed: sh tools/debian-packages.sh image"
    if os.geteuid() != 0:
        return "a base image is made as root"
    try:
        done = run("true", folder=folder)
    except OSError as error:
        return f"users cannot be mapped into a namespace: {error}"
    return f"this kernel has no binfmt_misc in user namespaces: {done.stderr.strip()}" if done.returncode else ""


def _map_users(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/ns/user").readlink() == Path("/proc/self/ns/user").readlink():
        if time.monotonic() > deadline:
            raise OSError("unshare made no user namespace")
        time.sleep(0.01)
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 0 65536\n")
