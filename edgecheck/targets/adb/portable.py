"""The Python for devices that have none, not even a C library that its wheels could use: Debian's, in a folder.

Nothing in it knows where the folder is. Android's linker cannot start a program for glibc, so `bin/python3` is a script
that starts glibc's own, which is in the folder, too. Wheels for manylinux then load as on a board.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platformdirs import user_cache_path

from edgecheck.emulator import lock, mirrors, packages
from edgecheck.errors import TargetError
from edgecheck.store import Entry, Store

#: Part of every key: raised when the folder is made in another way.
_EDITION = 1

#: The packages whose files it consists of; those of the emulated machine's lock where a phone has the same processor.
PACKAGES = frozenset(
    {
        *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
        *("libc6", "libgcc-s1", "libstdc++6", "libgomp1", "zlib1g", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5"),
    }
)

#: What wheels for manylinux may link to (PEP 600 names the first ones), and Python itself.
_LIBRARIES = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libresolv.so.2"),
    *("libgcc_s.so.1", "libstdc++.so.6", "libgomp.so.1"),
    *("libz.so.1", "libexpat.so.1", "libffi.so.8", "libbz2.so.1.0", "liblzma.so.5"),
)

#: Of the standard library, what neither the agent nor a runtime imports, or what would need another library.
_UNUSED = re.compile(
    r"(test|lib2to3|idlelib|ensurepip|distutils|venv|tkinter|turtledemo|sqlite3|dbm|curses|pydoc_data|xmlrpc|wsgiref|"
    r"config-3\.11[^/]*|__phello__)/|"
    r"(turtle|pydoc_topics|antigravity|this|sitecustomize)\.py$|"
    r"lib-dynload/(_sqlite3|_curses|_curses_panel|_ssl|_hashlib|_crypt|_dbm|_gdbm|_uuid|nis|readline|ossaudiodev|"
    r"_codecs_\w+|_ctypes_test|_test\w*|_xxtestfuzz|xx\w+)\.|"
    r".*\.pyc$|.*/__pycache__/|EXTERNALLY-MANAGED$"
)

#: Finds its folder by its own path, which the kernel hands to the shell; every Android has this shell. What is
#: exported says where the courier keeps things, and where the device's lock is: Android has no /tmp.
_STARTER = """\
#!/system/bin/sh
bin=${{0%/*}}
lib=${{bin%/*}}/lib
place=${{bin%/device/trees/*}}
export EDGECHECK_PLACE="${{EDGECHECK_PLACE:-$place}}"
export EDGECHECK_LOCK="${{EDGECHECK_LOCK:-${{place%/*}}/edgecheck-measuring.lock}}"
exec "$lib/{loader}" --argv0 "$0" --library-path "$lib" "$bin/python3.11" "$@"
"""

#: The file in the folder that lists all others with their sha256; the courier shows its `requirements` in the cache.
MANIFEST = "edgecheck-bundle.json"

_PURPOSE = packages.Purpose(
    "Python for phones", f"Check the network, or name a Debian mirror in {mirrors.VARIABLE}, and run it again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """A kind of processor, in the words of Android, of the kernel and of Debian."""

    abi: str
    machine: str
    debian: str
    triplet: str
    loader: str


#: By Android's name of the processor. Python's wheels with inference runtimes are for these two.
PROCESSORS: Mapping[str, Processor] = MappingProxyType(
    {
        each.abi: each
        for each in (
            Processor(
                abi="arm64-v8a",
                machine="aarch64",
                debian="arm64",
                triplet="aarch64-linux-gnu",
                loader="ld-linux-aarch64.so.1",
            ),
            Processor(
                abi="x86_64",
                machine="x86_64",
                debian="amd64",
                triplet="x86_64-linux-gnu",
                loader="ld-linux-x86-64.so.2",
            ),
        )
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Portable:
    """A Python in an archive on this machine."""

    archive: Path
    digest: str
    """sha256 of its manifest: the name of its folder on a phone."""
    size: int
    """Bytes of its files."""
    version: str
    """`3.11.2`."""


def portable(processor: Processor, progress: Callable[[str], None], cache: Path | None = None) -> Portable:
    """The Python for a processor; the second time it needs no network.

    Args:
        processor: One of `PROCESSORS`.
        progress: Called with what is being done.
        cache: A folder to use instead of the user's.

    Raises:
        EmulatorError: Debian's packages cannot be fetched, or are not those of the lock.
        TargetError: they lack a file, or the disk of this machine is full.
    """
    own = _lock(processor)

    def build(folder: Path) -> dict[str, Any]:
        found = packages.obtain(own, mirrors.mirrors(own.time), folder.parent / "packages", progress, purpose=_PURPOSE)
        tree = folder.parent / "tree"
        packages.unpack(found.files, tree)
        version = next(each.version for each in found.packages if each.name == "python3.11-minimal").partition("-")[0]
        return {**_packed(dict(_chosen(tree, processor)), version, folder / "python.tar.gz"), "version": version}

    entry = _store(cache).ensure(f"{processor.debian}-{own.content[:16]}-{_EDITION}", build, progress)
    return _portable(entry)


def _portable(entry: Entry) -> Portable:
    facts = entry.facts
    return Portable(
        archive=entry.folder / "python.tar.gz",
        digest=str(facts["digest"]),
        size=int(facts["size"]),
        version=str(facts["version"]),
    )


def _store(cache: Path | None) -> Store:
    folder = (cache or user_cache_path("edgecheck")) / "phones"
    return Store(folder=folder, what="Python for phones", error=TargetError, reads=_portable)


def _lock(processor: Processor) -> lock.Lock:
    """The packages for a processor: the emulated machine's where it has the same, else those of a second lock."""
    whole = lock.own()
    if whole.architecture != processor.debian:
        file = resources.files("edgecheck.targets.adb").joinpath(f"portable-{processor.debian}.lock.json")
        whole = lock.parse(file.read_text(encoding="utf-8"))
    return replace(whole, packages=tuple(each for each in whole.packages if each.name in PACKAGES))


def _chosen(tree: Path, processor: Processor) -> Iterator[tuple[str, bytes]]:
    """Each file of the folder, by its path there.

    Raises:
        TargetError: the packages lack one that is needed.
    """
    yield "bin/python3", _STARTER.format(loader=processor.loader).encode()
    yield "bin/python3.11", (tree / "usr/bin/python3.11").read_bytes()
    for name in (processor.loader, *_LIBRARIES):
        places = [tree / top / processor.triplet / name for top in ("lib", "usr/lib")]
        found = [place for place in places if place.is_file()]
        if not found:
            raise TargetError(f"Debian's packages for phones have no {name}.", "Install edgecheck again.")
        yield f"lib/{name}", found[0].read_bytes()
    library = tree / "usr/lib/python3.11"
    for path in sorted(library.rglob("*")):
        name = path.relative_to(library).as_posix()
        if path.is_file() and not _UNUSED.match(name):
            yield f"lib/python3.11/{name}", path.read_bytes()


def _packed(files: Mapping[str, bytes], version: str, archive: Path) -> dict[str, Any]:
    """Write the archive; its digest, and the bytes of its files."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    about = {"requirements": [f"Python {version}"], "files": digests}
    manifest = json.dumps(about, indent=0, sort_keys=True).encode()
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, content in ((MANIFEST, manifest), *sorted(files.items())):
            member = tarfile.TarInfo(name)
            is_program = name.startswith(("bin/", "lib/ld-"))
            member.size, member.mode = len(content), 0o755 if is_program else 0o644
            tar.addfile(member, io.BytesIO(content))
    return {"digest": hashlib.sha256(manifest).hexdigest(), "size": sum(map(len, files.values()))}
