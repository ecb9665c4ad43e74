"""A phone for tests: a real adbd of Android's sources, behind the real adb, in namespaces of its own.

Its root has no C library and nothing in /lib or /usr: a static busybox is its shell, as toybox and mksh are Android's.
What stands for Android's own programs (getprop, dumpsys, cmd, settings, logcat) are shell programs that print AOSP's
formats (`tests/android.py`); `Phone.android` puts them there. The wire, adb, its server and adbd are real. The server's
socket is a file, so that it can live in the phone's network namespace, where no stray emulator and no USB device is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from platformdirs import user_cache_path

from edgecheck.errors import TargetError
from edgecheck.store import Store, sha256_of
from tests.targets.workloads import comes_true

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BUILD = Path(__file__).parents[2] / "tools" / "adbd.sh"

SERIAL = "127.0.0.1:5599"

#: What the shell scripts of edgecheck may call on a phone: programs of Android's toybox.
APPLETS = (
    *(
        "sh",
        "cat",
        "chmod",
        "df",
        "dd",
        "echo",
        "env",
        "grep",
        "id",
        "kill",
        "ls",
        "mkdir",
        "mount",
        "mv",
        "printf",
        "rm",
        "sleep",
    ),
    *("tail", "true", "uname"),
)

#: Of the account `shell`, as on Android.
SHELL = 2000

#: `Phone.shared`, as the phone sees it.
SHARED = Path("/data/shared")

#: What stays in /data/local/tmp of a phone: the cache, and the file that is locked by whoever measures.
LEFT = {f"edgecheck-{SHELL}", "edgecheck-measuring.lock"}

#: Run with the root, the loader, and the size of /data as arguments, in namespaces of its own.
_INIT = """
set -e
ip link set lo up
mount -t tmpfs -o "size=$3,mode=755" data "$1/data"
mkdir -p "$1/data/local/tmp"
chown -R 2000:2000 "$1/data/local"
chmod 771 "$1/data/local/tmp"
if [ -n "$4" ]; then mount -o "remount,$4" "$1/data"; fi
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
env PATH=/system/bin TMPDIR=/data/local/tmp "$(command -v chroot)" --userspec=2000:2000 "$1" \\
    "$2" --library-path /apex/adbd/lib /apex/adbd/bin/adbd &
wait  # as init: what loses its parent is reaped here
"""


@dataclass(slots=True)
class Phone:
    """One adbd with its server."""

    folder: Path
    process: subprocess.Popen[bytes]
    server: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def data(self) -> Path:
        """Its /data, which only it and those who look through one of its processes see."""
        return Path(f"/proc/{self.adbd.pid}/root/data")

    @property
    def is_alive(self) -> bool:
        return bool(self._daemons())

    def _daemons(self) -> list[psutil.Process]:
        everything = psutil.Process(self.process.pid).children(recursive=True)
        return [one for one in everything if _command(one)[:1] == [f"/apex/adbd/lib/{_loader(self.root)}"]]

    @property
    def cache(self) -> Path:
        return self.data / f"local/tmp/edgecheck-{SHELL}"

    @property
    def adbd(self) -> psutil.Process:
        return self._daemons()[0]

    @property
    def address(self) -> str:
        return f"adb://{SERIAL}"

    def adb(self, *arguments: str) -> str:
        """What adb prints, with the variables that `environment` has."""
        done = subprocess.run(["adb", *arguments], check=True, capture_output=True, text=True, env=self.variables)
        return done.stdout

    def is_connected(self) -> bool:
        """Connect it, and whether it is there and ready then; on a busy machine adb may need a second attempt."""
        self.adb("connect", SERIAL)
        if comes_true(lambda: f"{SERIAL}\tdevice" in self.adb("devices"), 2):
            return True
        subprocess.run(["adb", "disconnect", SERIAL], check=False, capture_output=True, env=self.variables)
        return False

    @property
    def variables(self) -> Mapping[str, str]:
        return {**os.environ, **environment(self.folder)}

    def processes(self) -> list[psutil.Process]:
        """What adbd runs for its clients."""
        return [one for one in self.adbd.children(recursive=True) if one.is_running() and one.status() != "zombie"]

    @property
    def shared(self) -> Path:
        """A folder that `android`'s programs can write to."""
        return self.data / SHARED.name

    def android(self, texts: Mapping[str, str]) -> None:
        """Put shell programs, by their names, in the place of Android's own."""
        self.shared.mkdir(exist_ok=True)
        os.chown(self.shared, SHELL, SHELL)
        for name, text in texts.items():
            place = self.root / "system/bin" / name
            place.unlink(missing_ok=True)  # a link to busybox, for most
            place.write_text(f"#!/system/bin/sh\n{text}\n", encoding="utf-8")
            place.chmod(0o755)


def missing() -> str:
    """What this machine lacks for a phone; empty where it has everything."""
    programs = [
        name for name in ("adb", "clang++", "unshare", "nsenter", "ip", "busybox") if shutil.which(name) is None
    ]
    if programs:
        return f"a phone for tests needs {', '.join(programs)}: sh tools/debian-packages.sh"
    if os.geteuid() != 0:
        return "a phone for tests needs root, for its root and its network"
    try:
        adbd()
    except (subprocess.CalledProcessError, TargetError) as error:
        return f"a phone for tests needs an adbd, which could not be built: {error}"
    return ""


def environment(folder: Path) -> dict[str, str]:
    """Variables with which adb, and edgecheck, find the server of the phone in `folder`."""
    return {"ADB_SERVER_SOCKET": f"localfilesystem:{folder / 'adb.socket'}"}


def adbd() -> Path:
    """The folder with adbd, its libraries and its loader: built once, and kept by the content of the recipe."""
    folder = user_cache_path("edgecheck-test-adbd")
    store = Store(folder=folder, what="adbd for the tests", error=TargetError)

    def build(place: Path) -> dict[str, str]:
        subprocess.run(["sh", str(BUILD), str(place / "apex")], check=True, cwd=place.parent)
        return {}

    return store.ensure(sha256_of(BUILD)[:16], build, print).folder / "apex"


@contextmanager
def started(folder: Path, size: str = "1g", options: str = "") -> Iterator[Phone]:
    """A phone in `folder`; `size` and mount `options` are those of its /data."""
    _furnish(folder / "root")
    init = [
        "sh",
        "-c",
        _INIT,
        "init",
        str(folder / "root"),
        f"/apex/adbd/lib/{_loader(folder / 'root')}",
        size,
        options,
    ]
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "ADBD_PORT": SERIAL.rpartition(":")[2]}
    with (folder / "adbd.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", *init],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=variables, start_new_session=True,
        )  # fmt: skip
    phone = Phone(folder, process)
    try:
        assert comes_true(lambda: process.poll() is not None or _listens(process)), (folder / "adbd.log").read_text()
        phone.server = adb_server(folder, ["nsenter", "-t", str(_inside(process)), "-n"])
        assert comes_true(phone.is_connected), phone.adb("devices")
        yield phone
    finally:
        for each in (phone.server, process):
            if each is not None and each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()


def _furnish(root: Path) -> None:
    """Write a root like Android's, with adbd and a shell, and nothing that could run a program for Linux."""
    tools = root / "system/bin"
    tools.mkdir(parents=True)
    for name in ("data", "proc", "sys", "dev"):
        (root / name).mkdir()
    (root / "bin").symlink_to("system/bin")
    shutil.copytree(adbd(), root / "apex/adbd")
    shutil.copy("/bin/busybox", tools / "busybox")
    for name in APPLETS:
        (tools / name).symlink_to("busybox")


def _loader(root: Path) -> str:
    return next((root / "apex/adbd/lib").glob("ld-linux-*")).name


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _inside(process: subprocess.Popen[bytes]) -> int:
    """The pid of the namespaces' first process; 0 while there is none."""
    children = psutil.Process(process.pid).children()
    return children[0].pid if children else 0


def _listens(process: subprocess.Popen[bytes]) -> bool:
    port = f":{int(SERIAL.rpartition(':')[2]):04X} "
    pid = _inside(process)
    return bool(pid) and any(
        port in line and " 0A " in line
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()
    )


def adb_server(folder: Path, enter: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """An adb server of its own, with its socket in `folder`; `enter` starts it in another network."""
    (folder / "home").mkdir()
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*enter, "adb", "nodaemon", "server"], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, **environment(folder), "HOME": str(folder / "home")}, start_new_session=True,
        )  # fmt: skip
    assert comes_true((folder / "adb.socket").exists), (folder / "server.log").read_text()
    return process
