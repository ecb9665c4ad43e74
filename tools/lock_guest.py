"""Renews the lock file of the emulated machine's system: the newest packages of its Debian release, with digests.

    python tools/lock_guest.py

It takes a mirror that this host's apt uses, or EDGECHECK_DEBIAN_MIRRORS, and checks Debian's signature. Afterwards run
`python tools/gate.py`: another kernel or C library may shift emulated figures; if it does, renew the gate's report too.
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from edgecheck.emulator import index, lock, mirrors
from edgecheck.errors import EmulatorError

ROOT = Path(__file__).parents[1]

RELEASE, PYTHON = "bookworm", "3.11"

#: Python's packages bring the C library; the rest is what wheels for the device link against, and init's busybox.
ROOTS = (f"python{PYTHON}-minimal", "libpython3-stdlib", "libstdc++6", "libgomp1", "busybox-static")

#: The smallest of Debian's kernels: virtio and little else. Its package depends on the newest one's.
KERNEL = "linux-image-cloud-arm64"

#: What the packages depend on only to be configured, which they are not.
UNNEEDED = frozenset({"dpkg", "tar", "install-info", "debconf", "media-types", "readline-common"})


def main() -> int:
    """Write the lock file; 0 if every package of it is in a signed index."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    mirror = next(iter(mirrors.mirrors(now)))
    try:
        new = _locked(mirror, now)
    except EmulatorError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return error.exit_code
    place = ROOT / "edgecheck/emulator" / lock.FILE
    old = lock.parse(place.read_text(encoding="utf-8")) if place.is_file() else None
    known = {package.name: package.version for package in old.packages} if old else {}
    for package in new.packages:
        if known.get(package.name) != package.version:
            print(f"{package.name}: {known.get(package.name, 'new')} -> {package.version}")
    if old is not None and old.content == new.content:
        print("Nothing is newer: the lock file stays as it is.")
        return 0
    place.write_text(new.text(), encoding="utf-8")
    template = ROOT / "templates/edgecheck.gitlab-ci.yml"
    text = template.read_text(encoding="utf-8")
    template.write_text(re.sub(r"(EDGECHECK_GUEST:) .*", rf"\1 {new.content[:16]}", text), encoding="utf-8")
    total = sum(package.bytes for package in new.packages)
    print(f"Wrote {place.relative_to(ROOT)}: {len(new.packages)} packages, {total / 1e6:.1f} MB.")
    return 0


def _locked(mirror: mirrors.Mirror, now: str) -> lock.Lock:
    with tempfile.TemporaryDirectory() as folder:
        indexes = [index.read(mirror, archive, RELEASE, Path(folder)) for archive in ("debian", "debian-security")]
    if not all(each.signed for each in indexes):
        raise EmulatorError("Debian's signature was not checked.", "Install gpgv and debian-archive-keyring.")
    packages = index.closure(ROOTS, indexes, leave_out=UNNEEDED)
    kernels = index.newest(KERNEL, indexes)
    kernel = next(name for name in kernels.needs(KERNEL) if re.fullmatch(r"linux-image-[0-9].*", name))
    packages.append(index.newest(kernel, indexes).package(kernel, follows=KERNEL))
    return lock.Lock(release=RELEASE, architecture="arm64", python=PYTHON, time=now, packages=tuple(packages))


if __name__ == "__main__":
    sys.exit(main())
