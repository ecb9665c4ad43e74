"""Prints the facts that decide which wheels this Python can run, as JSON: `python3 - < probe.py` on the device.

Runs under Python 3.6 with nothing but the standard library, and imports nothing from edgecheck.
"""

import json
import os
import platform
import re
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path


def facts() -> "dict[str, object]":
    """Python, machine, pointer size and C library of the running interpreter."""
    libc, version = _libc()
    free_threaded = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return {
        "system": platform.system(),
        "implementation": platform.python_implementation(),
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}{free_threaded}",
        "machine": platform.machine(),
        "bits": struct.calcsize("P") * 8,
        "libc": libc,
        "libc_version": version,
    }


def _libc() -> "tuple[str, str]":
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        name, version = "", ""
    if name == "glibc":
        return name, version
    for loader in sorted(Path("/lib").glob("ld-musl-*.so.1")):
        found = musl_version(str(loader))
        if found:
            return "musl", found
    return "", ""


def musl_version(loader: str) -> str:
    """The version that musl's loader prints when it is run without a program: `Version 1.2.3` on stderr."""
    done = subprocess.run(
        [loader], check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    match = re.search(r"Version (\d+\.\d+)", done.stdout.decode("utf-8", "replace"))
    return match.group(1) if match else ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(facts()) + "\n")
