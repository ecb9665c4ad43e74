"""Renews the lock file of the Python for x86-64 phones: the newest of Debian's packages that it is made of.

    python tools/lock_phone.py

Phones with arm64 take theirs from the lock of the emulated machine (`tools/lock_guest.py`). Mirrors and signatures are
as there.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from edgecheck.emulator import index, lock, mirrors
from edgecheck.errors import EmulatorError
from edgecheck.targets.adb.portable import PACKAGES

ROOT = Path(__file__).parents[1]

PLACE = ROOT / "edgecheck/targets/adb/portable-amd64.lock.json"


def main() -> int:
    """Write the lock file; 0 if every package of it is in a signed index."""
    now = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    mirror = next(iter(mirrors.mirrors(now)))
    try:
        new = _locked(mirror, now)
    except EmulatorError as error:
        print(f"{error.message} {error.hint}", file=sys.stderr)
        return error.exit_code
    PLACE.write_text(new.text(), encoding="utf-8")
    print(f"Wrote {PLACE.relative_to(ROOT)}: {len(new.packages)} packages.")
    return 0


def _locked(mirror: mirrors.Mirror, now: str) -> lock.Lock:
    release, python = lock.own().release, lock.own().python
    with tempfile.TemporaryDirectory() as folder:
        indexes = [
            index.read(mirror, archive, release, Path(folder), architecture="amd64")
            for archive in ("debian", "debian-security")
        ]
    if not all(each.signed for each in indexes):
        raise EmulatorError("Debian's signature was not checked.", "Install gpgv and debian-archive-keyring.")
    packages = tuple(index.newest(name, indexes).package(name) for name in sorted(PACKAGES))
    return lock.Lock(release=release, architecture="amd64", python=python, time=now, packages=packages)


if __name__ == "__main__":
    sys.exit(main())
