"""Puts a Python on a phone, once: copied by adb, checked there file by file, compiled, and renamed into place.

It becomes a folder of the courier's cache, which shows it, keeps it while it is used, and clears it.
"""

from __future__ import annotations

import shlex
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgecheck.core.units import Unit, show
from edgecheck.errors import TargetError
from edgecheck.targets.adb import server
from edgecheck.targets.adb.phones import refusal
from edgecheck.targets.adb.portable import MANIFEST, PROCESSORS, Portable, Processor, portable
from edgecheck.targets.shell.opener import NothingThereError, printable

#: The only folder of a phone without root in which a program can be put and started.
PARENT = "/data/local/tmp"

#: Of the file next to a folder that is complete, as in courier/store.py.
_MARK = ".whole"

#: Byte code and unused ends of disk blocks add to the files.
_BYTE_CODE = 1.6

#: Seconds for the copy: 45 MB over a slow Wi-Fi.
_COPYING = 900.0

#: Seconds for a question, of a phone that may just be going down.
_ASKING = 10.0

#: Prints a line for each fact; what a phone lacks is empty. `folder` is the account's own: root's is another one.
_LOOK = f"""
folder={PARENT}/edgecheck-$(id -u)
echo "folder=$folder"
echo "abis=$(getprop ro.product.cpu.abilist 2>/dev/null)"
echo "machine=$(uname -m)"
set -- $(df -k {PARENT} 2>/dev/null | tail -n 1)
echo "free=$4"
for python in "$folder"/device/trees/*/bin/python3; do
    tree=${{python%/bin/python3}}
    if [ -f "$tree{_MARK}" ]; then echo "python=$python"; fi
done
"""

#: Whether a file there can be written, and started.
_TRY = """
mkdir -p {folder}/device/files {folder}/device/trees && chmod 700 {folder} && rm -rf {coming} || exit 3
printf '#!/system/bin/sh\\necho started\\n' >{folder}/try && chmod 700 {folder}/try || exit 3
{folder}/try; rm -f {folder}/try
"""

#: Run by the Python that was copied, with the folder where it is, where it belongs, the mark, and its manifest.
_CHECK = """
import compileall, hashlib, json, os, shutil, sys
coming, place, mark, digest, manifest = sys.argv[1:]
def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
about = os.path.join(coming, manifest)
with open(about) as file:
    files = json.load(file)["files"]
wrong = [name for name in sorted(files) if sha256(os.path.join(coming, name)) != files[name]]
if wrong or sha256(about) != digest:
    sys.exit("damaged: %s" % (wrong or [manifest])[0])
library = os.path.join(coming, "lib", "python3.11")
compileall.compile_dir(library, ddir=os.path.join(place, "lib", "python3.11"), quiet=2)
paths = [os.path.join(folder, name) for folder, _, names in os.walk(coming) for name in names]
size = sum(os.lstat(path).st_blocks * 512 for path in paths)
os.sync()
if os.path.isdir(place):
    shutil.rmtree(coming)
else:
    os.rename(coming, place)
with open(mark, "w") as file:
    file.write(str(size))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a phone says about itself in a shell."""

    folder: str
    """Where edgecheck keeps things there."""
    processors: tuple[str, ...]
    """Android's names of what it can run, the preferred one first; else the kernel's name of the machine."""
    free: int
    """Bytes; 0 where it does not say."""
    pythons: tuple[str, ...]
    """Paths of complete ones that were brought."""


def python_on(serial: str, progress: Callable[[str], None] | None) -> str:
    """The path of the Python on a phone; see `Opener.interpreter`."""
    found = look(serial)
    if progress is None:
        if not found.pythons:
            raise NothingThereError(serial, found.folder, found.free)
        return found.pythons[0]
    made = portable(_processor(serial, found), progress)
    place = f"{found.folder}/device/trees/{made.digest}"
    if f"{place}/bin/python3" not in found.pythons:
        _bring(serial, found, made, place, progress)
    return f"{place}/bin/python3"


def look(serial: str) -> Looked:
    """What the phone says.

    Raises:
        TargetError: no command can be run there.
    """
    lines = [line.partition("=") for line in shell(serial, _LOOK).splitlines()]
    said: Mapping[str, str] = {name: value.strip() for name, _, value in lines}
    names = said.get("abis", "").split(",") if said.get("abis") else [said.get("machine", "")]
    return Looked(
        folder=said.get("folder", ""),
        processors=tuple(map(printable, names)),
        free=int(said["free"]) * 1024 if said.get("free", "").isdigit() else 0,
        pythons=tuple(value.strip() for name, _, value in lines if name == "python"),
    )


def _processor(serial: str, found: Looked) -> Processor:
    for name in found.processors:
        for each in PROCESSORS.values():
            if name in (each.abi, each.machine):
                return each
    names = ", ".join(found.processors) or "nothing that it names"
    raise TargetError(
        f"The phone {serial} runs programs for {names}: edgecheck needs a 64-bit Android, since no inference runtime "
        "has wheels for anything else.",
        "Judge its class by an emulated device instead: --device android-go",
    )


def _bring(serial: str, found: Looked, made: Portable, place: str, progress: Callable[[str], None]) -> None:
    needed = round(made.size * _BYTE_CODE)
    if found.free and found.free < needed:
        raise _no_room(serial, found.folder, f"{show(needed, Unit.BYTES)} are needed, "
                       f"{show(found.free, Unit.BYTES)} are free")  # fmt: skip
    coming = f"{found.folder}/device/files/.coming-{made.digest}"  # where the courier removes what nobody finishes
    started = shell(serial, _TRY.format(folder=found.folder, coming=coming), check=False)
    if "started" not in started:
        raise _not_startable(serial, found.folder, started)
    progress(f"sending Python {made.version}, {show(made.size, Unit.BYTES)}, which stays there for the next check")
    try:
        _copy(serial, made, coming)
        progress("checking it on the phone")
        command = [f"{coming}/bin/python3", "-I", "-c", _CHECK, coming, place, place + _MARK, made.digest, MANIFEST]
        shell(serial, shlex.join(command), timeout=_COPYING)
    except BaseException:
        with suppress(TargetError):  # it may be gone
            shell(serial, f"rm -rf {coming}", check=False)
        raise


def _copy(serial: str, made: Portable, coming: str) -> None:
    with tempfile.TemporaryDirectory(prefix="edgecheck-python-") as scratch:
        with tarfile.open(made.archive) as archive:
            archive.extractall(scratch, filter="data")
        folder = Path(scratch)
        folder.chmod(0o755)
        done = server.run("-s", serial, "push", f"{folder}/.", coming, timeout=_COPYING)
    if done.returncode:
        said = printable(done.stderr + done.stdout)
        if "No space left" in said:
            raise _no_room(serial, coming.partition("/device/")[0], "it became full while Python was sent")
        raise refusal(serial, done.returncode, said)


def shell(serial: str, command: str, *, check: bool = True, timeout: float = 60.0) -> str:
    """What a command prints on a phone.

    Raises:
        TargetError: it could not be run, or, if `check` is true, failed; the hint says what to do.
    """
    done = server.run("-s", serial, "shell", "-T", command, timeout=timeout)
    if check and done.returncode:
        raise refusal(serial, done.returncode, printable(done.stderr + done.stdout))
    return done.stdout + ("" if check else done.stderr)


def boot_id(serial: str) -> str:
    """What changes whenever the phone starts; empty where it cannot be asked."""
    with suppress(TargetError):
        return shell(serial, "cat /proc/sys/kernel/random/boot_id 2>/dev/null", timeout=_ASKING).strip()
    return ""


def _no_room(serial: str, folder: str, why: str) -> TargetError:
    return TargetError(
        f"The phone {serial} has no room in {folder}: {why}.",
        f"Free some there; `edgecheck cache --target adb://{serial}` shows what is edgecheck's.",
    )


def _not_startable(serial: str, folder: str, said: str) -> TargetError:
    last = (printable(said).strip().splitlines() or ["it printed nothing"])[-1].strip()
    if "No space left" in last:
        return _no_room(serial, folder, last)
    if "ermission denied" in last or "not permitted" in last:
        return TargetError(
            f"The phone {serial} lets no program be started from {PARENT} ({last}).",
            "A policy of its maker or of an organisation forbids it, and edgecheck has no other way onto that phone: "
            "take another one, or an emulated device (--target qemu).",
        )
    return TargetError(f"Nothing can be kept in {folder} of the phone {serial}: {last}.",
                       f"Look at it by hand: adb -s {serial} shell ls -ld {PARENT} {folder}")  # fmt: skip
