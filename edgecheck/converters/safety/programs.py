"""What opening a model would run that is a program rather than a pickle: one function per format.

Each collects what its reader finds. A file that cannot be read to its end is in doubt, and is not opened.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from edgecheck.anatomy.accounting.limits import cut
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.converters.safety import keras_files, tensorflow_graph, torch_programs
from edgecheck.converters.safety.pickled_imports import UNREADABLE, PickledImports, in_words, of_archive

#: Findings that are kept; a message names fewer.
_MOST = 1000
#: Bytes that a source or description may have.
_LARGEST_TEXT = 1 << 28
_SERIALIZED_GRAPH = "saved_model.pb"
#: Other files that TensorFlow would take for the graph.
_OTHER_GRAPHS = ("saved_model.pbtxt", "saved_model.cpb")
#: Members of a .pt2 that are machine code.
_MACHINE_CODE = (".so", ".dll", ".dylib", ".cubin", ".o", ".cpp")
#: Where a member of torch's archives was written before version 1.2 of the format, its code has any name.
_OLD_SCRIPT = "model.json"
#: The end record of a zip archive without a comment (APPNOTE 4.3.16): from its start, the offset of the directory.
_DIRECTORY_AT, _OFFSET_FULL = 16, 0xFFFFFFFF


def of_pt2(path: Path) -> PickledImports:
    """What opening an exported program would import, run, or evaluate."""
    found = of_archive(path)
    return found if found.doubt else _collected(_in_pt2(path), found)


def of_torchscript(path: Path) -> PickledImports:
    """The operators of a TorchScript that do more than compute, and the classes of its objects.

    torch reads its pickles without Python: they name classes of the script, and those that C++ code brings along.
    """
    found = of_archive(path)
    if found.doubt:
        return found
    classes = [
        f"the class {module}.{name}" for module, name in sorted(found.names) if torch_programs.is_foreign(module)
    ]
    return _collected(chain(classes, _in_torchscript(path)))


def of_saved_model(folder: Path) -> PickledImports:
    """The operators of a SavedModel that do more than compute."""
    return _collected(_in_saved_model(folder))


def of_keras(path: Path) -> PickledImports:
    """The classes of a `.keras` that do more than compute, and what in its weights leads to other files."""
    found = _collected(chain(keras_files.classes_in_keras(path), keras_files.pickles_in_archive(path)))
    return found if found.doubt else _with_files(keras_files.links_in_archive(path), found)


def of_hdf5(path: Path) -> PickledImports:
    """The same for a complete model in HDF5."""
    found = _collected(keras_files.classes_in_hdf5(path))
    return found if found.doubt else _with_files(keras_files.links_in_hdf5(path), found)


def _collected(findings: Iterator[str], found: PickledImports | None = None) -> PickledImports:
    found = found or PickledImports()
    found.runs, found.doubt = _all(findings)
    return found


def _with_files(findings: Iterator[str], found: PickledImports) -> PickledImports:
    found.reads, found.doubt = _all(findings)
    return found


def _all(findings: Iterator[str]) -> tuple[tuple[str, ...], str]:
    """The findings, each once, and why there may be more."""
    every: dict[str, None] = {}
    try:
        for each in islice(findings, _MOST):
            every[each] = None
    except UNREADABLE as error:
        return tuple(every), in_words(error)
    return tuple(every), ""


def _in_pt2(path: Path) -> Iterator[str]:
    for name, archive, member in _members(path):
        if "/aotinductor/" in f"/{name}" or name.endswith(_MACHINE_CODE):
            yield f"the machine code {member.filename}"
        elif name.endswith(".json"):
            yield from torch_programs.what_runs(_text(archive, member))
        elif name.endswith(".zip"):  # torch would open it as another archive
            raise Damage(f"its member {member.filename} is an archive")


def _in_torchscript(path: Path) -> Iterator[str]:
    for name, archive, member in _members(path):
        if name.rpartition("/")[2] == _OLD_SCRIPT:
            raise Damage("it was written by PyTorch 1.1 or older")
        if name.endswith(".py"):
            yield from (f"the operator {each}" for each in torch_programs.what_script_runs(_text(archive, member)))


def _in_saved_model(folder: Path) -> Iterator[str]:
    for other in _OTHER_GRAPHS:
        if (folder / other).exists():
            raise Damage(f"it holds {other} besides {_SERIALIZED_GRAPH}")
    inside = os.path.realpath(folder)
    for place in folder.rglob("*"):
        if not Path(os.path.realpath(place)).is_relative_to(inside):
            raise Damage(f"its {cut(place.name)} is a link that leads out of its folder")
    data = (folder / _SERIALIZED_GRAPH).read_bytes()
    yield from (f"the operator {each}" for each in tensorflow_graph.of_saved_model(data))


def _members(path: Path) -> Iterable[tuple[str, zipfile.ZipFile, zipfile.ZipInfo]]:
    """Every member of an archive of torch's, also those that share a name, with its name in lower case.

    torch finds members whatever the case of their names, and only where the end record says that the directory begins.

    Raises:
        Damage: the directory is elsewhere: Python would read other members than torch.
    """
    with zipfile.ZipFile(path) as archive:
        if archive.start_dir != _recorded_start(path, archive):
            raise Damage("its directory is not where its end record says")
        for member in archive.infolist():
            yield member.filename.lower(), archive, member


def _recorded_start(path: Path, archive: zipfile.ZipFile) -> int:
    """Where the archive's end record says that the directory begins."""
    with path.open("rb") as stream:
        stream.seek(-22 - len(archive.comment), io.SEEK_END)
        (offset,) = struct.unpack_from("<I", stream.read(22), _DIRECTORY_AT)
        if offset != _OFFSET_FULL:
            return int(offset)
        stream.seek(-42 - len(archive.comment), io.SEEK_END)  # the zip64 locator before it: where the zip64 record is
        (record,) = struct.unpack_from("<Q", stream.read(20), 8)
        stream.seek(record)
        return int(struct.unpack_from("<Q", stream.read(56), 48)[0])


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    if member.file_size > _LARGEST_TEXT:
        raise Damage(f"its member {member.filename} claims {member.file_size:,} bytes")
    return archive.read(member).decode("utf-8")
