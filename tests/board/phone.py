"""A phone that is not this machine: an arm64 kernel in QEMU, a real adbd, and no C library in its root.

Its root has a static busybox as the shell, adbd with its own libraries in a folder that nothing else uses, and shell
programs in the place of Android's own (`tests/android.py`). Commands run as Android's account `shell`. The port of its
adbd is on this machine's loopback.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgecheck.emulator import boot, build, index, lock, mirrors, packages, programs
from edgecheck.emulator.cache import sparse_digest
from edgecheck.errors import EmulatorError
from edgecheck.store import Store, sha256_of
from edgecheck.targets.adb import bringing
from edgecheck.targets.adb.portable import PROCESSORS, portable
from examples.real_models import fetch
from tests import android
from tests.board.system import INIT, MODULES
from tests.cli.command import edgecheck
from tests.targets.phone import APPLETS, BUILD, SHARED, SHELL, adb_server, environment
from tests.targets.sshd import free_port
from tests.targets.workloads import comes_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Headers and libraries for building adbd, as tools/debian-packages.sh has them for this machine.
LIBRARIES = (
    *("libc6-dev", "libstdc++-12-dev", "libcap-dev", "android-libboringssl-dev"),
    *("android-libbase-dev", "android-libcutils-dev", "android-liblog-dev"),
)

#: Sanitizers and the like, which a compiler brings along.
UNUSED = {"libasan8", "libhwasan0", "liblsan0", "libtsan2", "libubsan1", "libitm1", "libatomic1", "libc-dev-bin"}

#: Of a check that takes as little time as it can: times in an emulated machine say nothing.
BUDGET = """\
model: hey_jarvis.tflite
measure: {warmup_count: 1, warmup_time: 0 s, min_count: 5, min_time: 0 s, max_time: 3 s}
limits: {latency_p50: 60 s}
devices: [pixel-8]
"""

PORT = 5555
DISK = "1200M"

#: What Android's init does for adbd.
START = f"""\
#!/system/bin/sh
export PATH=/system/bin TMPDIR=/data/local/tmp ADBD_PORT={PORT}
busybox mkdir -p /dev/pts && busybox mount -t devpts pts /dev/pts
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
busybox chown -R {SHELL}:{SHELL} /data/local {SHARED}
busybox chmod 771 /data/local/tmp
echo "adbd starts"
busybox su shell -s /system/bin/sh -c \\
    "/apex/adbd/lib/ld-linux-aarch64.so.1 --library-path /apex/adbd/lib /apex/adbd/bin/adbd"
echo "adbd ended"
"""

ACCOUNTS = {
    "etc/passwd": f"root:x:0:0:root:/:/system/bin/sh\nshell:x:{SHELL}:{SHELL}:shell:/data/local/tmp:/system/bin/sh\n",
    "etc/group": f"root:x:0:\nshell:x:{SHELL}:\n",
}


@dataclass(frozen=True, slots=True)
class EmulatedPhone:
    """One that adb has connected."""

    folder: Path
    port: int

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"adb://{self.serial}"

    def adb(self, *arguments: str) -> str:
        """What adb prints."""
        done = subprocess.run(["adb", *arguments], check=True, capture_output=True, text=True, env=self.variables)
        return done.stdout

    @property
    def variables(self) -> Mapping[str, str]:
        return {**os.environ, **environment(self.folder)}

    def run(self, command: str) -> str:
        """What a command prints there."""
        return self.adb("-s", self.serial, "shell", "-T", command)

    def is_connected(self) -> bool:
        """Whether it is there and ready; if not, it is connected anew, as its user would."""
        if f"{self.serial}\tdevice" in self.adb("devices"):
            return True
        for command in ("disconnect", "connect"):
            subprocess.run(["adb", command, self.serial], check=False, capture_output=True, env=self.variables)
        return f"{self.serial}\tdevice" in self.adb("devices")

    def reset(self) -> None:
        """Have it start again at once, as after a crash of its kernel."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "monitor"))
            monitor.sendall(b"system_reset\n")
            said = b""
            while said.count(b"(qemu)") < 2:  # it has been done when the next command is asked for
                said += monitor.recv(1000)


@contextmanager
def started(folder: Path, disk: Path | None = None) -> Iterator[EmulatedPhone]:
    """Start it, and a server of its own; what it writes is kept on `disk`, and without one it is gone with it."""
    phone = EmulatedPhone(folder, free_port())
    server = adb_server(folder)
    with (folder / "console").open("wb") as console:
        machine = subprocess.Popen(
            _argv(phone, disk), stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    try:
        assert comes_true(phone.is_connected, 120), (folder / "console").read_text()
        yield phone
    finally:
        for process in (machine, server):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _argv(phone: EmulatedPhone, disk: Path | None) -> list[str]:
    """QEMU's; its four cores run on as many threads of this host, and its clock is this host's."""
    system = _system()
    file, snapshot = (disk, "off") if disk else (_used(), "on")
    network = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{phone.port}-:{PORT}"
    return [
        *(programs.path(programs.QEMU), "-machine", "virt", "-cpu", "cortex-a76", "-smp", "4", "-m", "1G"),
        *("-accel", "tcg,thread=multi", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"),
        *("-monitor", f"unix:{phone.folder / 'monitor'},server=on,wait=off"),
        *("-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"),
        *("-kernel", str(system / "kernel"), "-initrd", str(system / "initramfs")),
        *("-append", "console=ttyAMA0 quiet panic=-1 mitigations=off"),
        *("-drive", f"file={file},format=raw,if=virtio,snapshot={snapshot}"),
    ]


def missing() -> str:
    """What this machine lacks for it; empty where it has everything."""
    names = ("adb", "clang++", "ld.lld", "busybox", programs.QEMU, programs.MKE2FS)
    lacking = [name for name in names if programs.find(name) is None]
    return f"an emulated phone needs {', '.join(lacking)}: sh tools/debian-packages.sh" if lacking else ""


def _store(what: str) -> Store:
    folder = user_cache_path("edgecheck-test-phone") / what.replace(" ", "-")
    return Store(folder=folder, what=what, error=EmulatorError, digest=sparse_digest)


def _adbd() -> Path:
    """The folder with adbd for arm64 and its libraries: built once, and kept by the content of the recipe."""

    def compiled(folder: Path) -> Mapping[str, Any]:
        root = folder.parent / "root"
        indexes = _indexes(folder.parent)
        wanted = replace(lock.own(), packages=tuple(index.closure(LIBRARIES, indexes, leave_out=UNUSED)))
        found = packages.obtain(wanted, mirrors.mirrors(wanted.time), folder.parent / "packages", print)
        packages.unpack(found.files, root)
        subprocess.run(["sh", str(BUILD), str(folder / "adbd"), str(root)], check=True)
        return {}

    return _store("adbd").ensure(sha256_of(BUILD)[:16], compiled, print).folder / "adbd"


def _indexes(folder: Path) -> list[index.Index]:
    own = lock.own()
    mirror = next(iter(mirrors.mirrors(own.time)))
    return [index.read(mirror, archive, own.release, folder) for archive in ("debian", "debian-security")]


def _system() -> Path:
    """The folder with the phone's kernel, initramfs and disk, built from this recipe if the cache has none."""
    files = (Path(__file__), Path(__file__).with_name("system.py"), Path(str(android.__file__)), BUILD)
    recipe = b"".join(file.read_bytes() for file in files)
    return _store("system").ensure(hashlib.sha256(recipe).hexdigest()[:16], _build, print).folder


def _used() -> Path:
    """The disk after a first check, which is made again when edgecheck brings something else, or in another way."""
    code = Path(bringing.__file__).parent
    files = (code / "bringing.py", code / "portable.py", *sorted((code.parent / "courier").glob("*.py")))
    digests = [portable(PROCESSORS["arm64-v8a"], print).digest, _system().name, *map(sha256_of, files)]
    key = hashlib.sha256("".join(digests).encode()).hexdigest()[:16]
    return _store("used disk").ensure(key, _first_check, print).folder / "disk.img"


def _first_check(folder: Path) -> Mapping[str, Any]:
    """Have the phone checked for the first time, by the command line."""
    disk, scratch = folder / "disk.img", folder.parent / "scratch"
    scratch.mkdir()
    shutil.copy(fetch("hey_jarvis.tflite"), scratch)
    (scratch / "phone.yaml").write_text(BUDGET)
    subprocess.run(["cp", "--sparse=always", str(_system() / "system.img"), str(disk)], check=True)
    with started(scratch, disk) as phone:
        done = edgecheck("check", "phone.yaml", "--target", phone.address, cwd=scratch, **environment(scratch))
        assert done.code == 0, done.err + done.out
        phone.run(f"rm {SHARED}/fixed; busybox sync")
    return {}


def _build(folder: Path) -> Mapping[str, Any]:
    """Only the shell and the kernel are of the emulated machine's own lock."""
    own, tree = lock.own(), folder.parent / "tree"
    shell = tuple(index.closure(("busybox-static",), _indexes(folder.parent), leave_out={"libc6"}))
    wanted = replace(own, packages=(*shell, own.packages[-1]))
    found = packages.obtain(wanted, mirrors.mirrors(own.time), folder.parent / "packages", print)
    packages.unpack(found.files, tree, re.compile("usr/share/doc/"))  # all modules: a network needs some
    kernel, busybox = boot.find_kernel(tree), build.busybox(tree)
    (folder / "kernel").write_bytes(kernel.image.read_bytes())
    init = INIT.replace("/sbin/board", "/system/bin/start")
    entries = (boot.cpio_entry("init", stat.S_IFREG | 0o755, init.encode()), boot.cpio_entry("TRAILER!!!", 0))
    initramfs = boot.drivers(busybox, boot.modules(kernel, MODULES)) + b"".join(entries)
    (folder / "initramfs").write_bytes(initramfs)
    root = folder.parent / "phone"
    _furnish(root, busybox)
    programs.run((programs.MKE2FS, "-q", "-F", "-t", "ext4", "-d", str(root), str(folder / "system.img"), DISK))
    return {"linux": kernel.release}


def _furnish(root: Path, busybox: bytes) -> None:
    """Write a root like Android's; all that runs there without being brought is static, or adbd."""
    tools = root / "system/bin"
    for name in ("system/bin", "data/local/tmp", SHARED.relative_to("/"), "etc", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True)
    (root / "bin").symlink_to("system/bin")
    (tools / "busybox").write_bytes(busybox)
    for name in APPLETS:
        (tools / name).symlink_to("busybox")
    properties = {**android.PROPERTIES, "ro.product.cpu.abilist": "arm64-v8a"}
    scripts = android.programs(str(SHARED), properties=properties)
    texts = {f"system/bin/{name}": f"#!/system/bin/sh\n{text}\n" for name, text in scripts.items()}
    for place, text in {**texts, **ACCOUNTS, "system/bin/start": START}.items():
        (root / place).write_text(text)
    for name in ("busybox", "start", *scripts):
        (tools / name).chmod(0o755)
    shutil.copytree(_adbd(), root / "apex/adbd")
