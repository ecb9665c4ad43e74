"""What opening a Keras model's weights would read or run besides its own file: links, and pickles of NumPy arrays.

Keras 3.13 and later refuse such links themselves; earlier ones follow them.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.encodings.archive_parts import claim_archive, member_region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.hdf5.groups import leads_outside

_SIGNATURE, _USER_BLOCKS = b"\x89HDF\r\n\x1a\n", (0, 512, 1024, 2048, 4096, 8192)
_NUMPY = b"\x93NUMPY"
#: Bytes of a .npy that hold its header, and more: NumPy refuses headers of more than 10,000 characters.
_HEAD = 20_000


def of_hdf5(path: Path) -> Iterator[str]:
    """What in an HDF5 file leads to other files.

    Raises:
        Damage: it is broken, or not read here.
    """
    with Files(path) as files:
        yield from leads_outside(files.main())


def of_archive(path: Path) -> Iterator[str]:
    """The same for each HDF5 file in a `.keras`, under whatever name.

    Raises:
        Damage: the archive or a file in it is broken, or not read here.
    """
    with Files(path) as files:
        region = files.main()
        for member in claim_archive(region).members:
            with member_region(region, member) as content:
                size = content.span.size
                if any(content.span.raw(at, min(8, size - at)) == _SIGNATURE for at in _USER_BLOCKS if at < size):
                    yield from leads_outside(content)


def pickles_of(path: Path) -> Iterator[str]:
    """The arrays of objects, which are pickles, in the NumPy archives and arrays in a `.keras`.

    Raises:
        ValueError, SyntaxError: an array's header is broken.
        zipfile.BadZipFile, OSError: an archive is.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                if member.filename.endswith(".npz"):
                    yield from _of_arrays(member.filename, stream.read())
                elif _holds_objects(stream.read(_HEAD)):
                    yield f"a pickle in the array {member.filename}"


def _of_arrays(name: str, content: bytes) -> Iterator[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as arrays:
        for member in arrays.infolist():
            with arrays.open(member) as stream:
                if _holds_objects(stream.read(_HEAD)):
                    yield f"a pickle in the array {member.filename} of {name}"


def _holds_objects(head: bytes) -> bool:
    """Whether a .npy holds references to Python objects.

    The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
    """
    if not head.startswith(_NUMPY):
        return False
    width = 2 if head[6:7] == b"\x01" else 4  # bytes of the header's size, by the major version
    size = int.from_bytes(head[8 : 8 + width], "little")
    if 8 + width + size > len(head):
        raise Damage(f"an array's header claims {size:,} bytes")
    described = ast.literal_eval(head[8 + width : 8 + width + size].decode("latin1").strip())
    return "O" in str(described.get("descr")) if isinstance(described, dict) else True
