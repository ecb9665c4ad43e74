"""The disk, kernel and keys of a board: Debian arm64 with an SSH server and Python, and nothing else."""

from __future__ import annotations

import hashlib
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

from edgecheck.emulator import boot, build, index, lock, mirrors, packages, programs
from edgecheck.emulator.cache import sparse_digest
from edgecheck.errors import EmulatorError
from edgecheck.store import Store
from tests.targets.sshd import new_key

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a wheel links against comes with any desktop or server image of a board; busybox is the shell and the init.
PACKAGES = ("python3-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "busybox-static", "openssh-server")
MODULES = (*boot.MODULES, "virtio_pci", "virtio_net", "virtio_rng")
DISK = "1200M"

INIT = """\
#!/bin/busybox sh
bb=/bin/busybox
$bb mount -t devtmpfs dev /dev
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
while read -r module; do $bb insmod "/modules/$module"; done < /modules/order
for disk in /sys/block/vd*; do $bb mount -t ext4 -o noatime "/dev/${disk##*/}" /root; done
for place in dev proc sys; do $bb mount -o move "/$place" "/root/$place"; done
exec $bb switch_root /root /sbin/board
"""

BOARD = """\
#!/bin/busybox sh
export PATH=/usr/bin:/bin:/usr/sbin:/sbin
for place in /run /tmp; do busybox mount -t tmpfs tmp $place; done
# As systemd sets them on a real board.
for name in protected_regular protected_fifos; do echo 2 > /proc/sys/fs/$name; done
for name in protected_symlinks protected_hardlinks; do echo 1 > /proc/sys/fs/$name; done
busybox mkdir -m 1777 -p /var/tmp
busybox mkdir -p /home/guest && busybox mount -t tmpfs -o ro,mode=755 tmp /home/guest
busybox mkdir -m 755 /run/sshd
busybox mkdir -p /dev/pts && busybox mount -t devpts pts /dev/pts
busybox hostname board
busybox ip link set lo up
busybox ip addr add 10.0.2.15/24 dev eth0
busybox ip link set eth0 up
exec /usr/sbin/sshd -D -e -f /etc/ssh/board.conf
"""

SSHD = """\
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
"""

#: A guest's home cannot be written to.
ACCOUNTS = {
    "etc/passwd": (
        "root:x:0:0:root:/root:/bin/sh\n"
        "guest:x:1000:1000:guest:/home/guest:/bin/sh\n"
        "sshd:x:100:65534::/run/sshd:/bin/false\n"
    ),
    "etc/group": "root:x:0:\nguest:x:1000:\nnogroup:x:65534:\n",
}


@dataclass(frozen=True, slots=True)
class System:
    """A built system; everything but the disk's own copy of the host key is in one folder of the cache."""

    folder: Path

    @property
    def client_key(self) -> Path:
        return self.folder / "client_key"

    @property
    def host_key(self) -> str:
        """The public one."""
        return (self.folder / "host_key.pub").read_text()


def ensure() -> System:
    """The system of this recipe, built from the host's packages if the cache has none that is intact."""
    store = Store(
        folder=user_cache_path("edgecheck-test-board") / "systems",
        what="board's system",
        error=EmulatorError,
        digest=sparse_digest,
    )
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    return System(store.ensure(key, _build, print).folder)


def _build(folder: Path) -> Mapping[str, Any]:
    tree = folder.parent / "tree"
    found = packages.obtain(_lock(folder.parent), mirrors.mirrors(lock.own().time), folder.parent / "packages", print)
    packages.unpack(found.files, tree, re.compile("usr/share/doc/"))
    kernel = boot.find_kernel(tree)
    (folder / "kernel").write_bytes(kernel.image.read_bytes())
    (folder / "initramfs").write_bytes(boot.drivers(build.busybox(tree), boot.modules(kernel, MODULES)) + _init())
    for key in ("client_key", "host_key"):
        new_key(folder / key)
    _furnish(tree, folder)
    programs.run((programs.MKE2FS, "-q", "-F", "-t", "ext4", "-d", str(tree), str(folder / "system.img"), DISK))
    return {"linux": kernel.release}


def _lock(folder: Path) -> lock.Lock:
    """The newest of the packages that a board has, and the emulated machine's kernel."""
    own = lock.own()
    mirror = next(iter(mirrors.mirrors(own.time)))
    indexes = [index.read(mirror, archive, own.release, folder) for archive in ("debian", "debian-security")]
    packages = index.closure(PACKAGES, indexes, leave_out={"debconf"})
    return replace(own, packages=(*packages, own.packages[-1]))


def _init() -> bytes:
    entries = (boot.cpio_entry("init", stat.S_IFREG | 0o755, INIT.encode()), boot.cpio_entry("TRAILER!!!", 0))
    return b"".join(entries)


def _furnish(tree: Path, folder: Path) -> None:
    build.furnish(tree, build._newest_python(str(path) for path in (tree / "usr/bin").iterdir()))
    for name in ("etc/ssh", "root", "run", "var/empty", "sbin"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    if not (tree / "bin/sh").exists():
        (tree / "bin/sh").symlink_to("busybox")
    for name, text in ({**ACCOUNTS, "etc/ssh/board.conf": SSHD, "sbin/board": BOARD}).items():
        (tree / name).write_text(text)
    (tree / "sbin/board").chmod(0o755)
    (tree / "etc/ssh/host_key").write_bytes((folder / "host_key").read_bytes())
    (tree / "etc/ssh/host_key").chmod(0o600)
    (tree / "etc/ssh/authorized_keys").write_bytes((folder / "client_key.pub").read_bytes())
