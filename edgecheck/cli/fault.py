"""Keeps the traceback of a fault of edgecheck's own in a file, for a report."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback

from edgecheck import __version__


def keep(error: Exception) -> str:
    """Write the traceback and what it ran on; the path of the file."""
    handle, place = tempfile.mkstemp(prefix="edgecheck-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"edgecheck {__version__}, Python {platform.python_version()}, {platform.platform()}\n")
        file.write(f"arguments: {sys.argv[1:]}\n\n")
        file.writelines(traceback.format_exception(error))
    return place
