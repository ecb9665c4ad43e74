"""What Python's own reader of zip archives raises; apart, since importing `zipfile` takes milliseconds."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib

#: What `zipfile` raises on an archive that is damaged, encrypted (RuntimeError), or packed in a way that it lacks.
ZIP_ERRORS = (
    zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError, OverflowError, struct.error,
    zlib.error, lzma.LZMAError,
)  # fmt: skip
