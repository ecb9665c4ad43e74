"""What opening a Keras model would run or read besides its own file: classes, links and pickles of arrays.

Keras looks up classes by module and name, and evaluates the bytecode of Lambda layers. The configuration is
`config.json` in a `.keras` and the attribute `model_config` in HDF5:
https://keras.io/guides/serialization_and_saving/.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.limits import quoted
from edgecheck.anatomy.encodings.archive_parts import claim_archive, member_region
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.hdf5.groups import leads_outside
from edgecheck.anatomy.hdf5.headers import H5, read_header
from edgecheck.anatomy.hdf5.heaps import GlobalHeaps

#: What holds bytecode, or a program of another framework.
_CODE = ("Lambda", "__lambda__")
_PROGRAMS = ("TFOpLambda", "SlicingOpLambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
#: Layers whose `vocabulary` may be a list or the path of a file.
_READS_FILES = ("StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup")
#: Keras' own modules that hold layers and what belongs to them, under their names of all versions.
_MODULES = re.compile(
    r"(tensorflow\.python\.|tf_)?keras(\.src|\.api)?(\.engine|\.legacy|\._legacy)?"
    r"(\.(layers|models|engine|initializers|regularizers|constraints|activations|optimizers|losses|metrics|random|ops"
    r"|dtype_policies|mixed_precision|quantizers|feature_column)(\.\w+)*)?"
)
#: What the module `builtins` stands for: functions and values that Keras finds by name in its own tables.
_BUILT_IN = re.compile(r"function|slice|__(?!typespec__)\w+__")
_CONFIG, _ATTRIBUTE = "config.json", "model_config"
_LONGEST = 256 << 20


def classes_in_keras(path: Path) -> Iterator[str]:
    """What opening a `.keras` would run, in words; nothing where it holds Keras' own layers only.

    Raises:
        ValueError, RecursionError: its configuration cannot be read.
        zipfile.BadZipFile, OSError: the archive cannot.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():  # not by name: there may be several
            if _leads_out(member.filename):
                raise Damage(f"its member {quoted(member.filename)} would be unpacked outside of its folder")
            if member.filename == _CONFIG:
                if member.file_size > _LONGEST:
                    raise ValueError(f"its {_CONFIG} claims {member.file_size:,} bytes")
                yield from what_runs(archive.read(member).decode("utf-8"))


def _leads_out(name: str) -> bool:
    return name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name


def classes_in_hdf5(path: Path) -> Iterator[str]:
    """What opening a complete model in HDF5 would run. See `classes_in_keras`; weights alone have no configuration."""
    with Files(path) as files:
        h5 = H5(files.main())
        text = GlobalHeaps(h5).text(read_header(h5, h5.root), _ATTRIBUTE, longest=_LONGEST)
        names = files.main().span.data.find(_ATTRIBUTE.encode())
    if text:
        yield from what_runs(text)
    elif names >= 0:
        raise Damage(f"its {_ATTRIBUTE} is kept in a way that edgecheck does not read")


def what_runs(text: str) -> Iterator[str]:
    """The classes in one configuration, as JSON, that do more than compute.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deeply.
    """
    whole = json.loads(text)
    if isinstance(whole, dict):
        whole.pop("compile_config", None)  # of the training, which is not restored
    waiting: list[Any] = [whole]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
            if isinstance(each.get("class_name"), str) and (found := _finding(each["class_name"], each)):
                yield found
        elif isinstance(each, list):
            waiting += each


def _finding(name: str, each: dict[str, Any]) -> str:
    """What an object of a configuration would run or read; empty where it only computes."""
    short, module = name.rpartition(">")[2], each.get("module")
    if short in _CODE:
        return "a Lambda layer or other Python code"
    if short in _PROGRAMS:
        return f"a {short}, which is a program"
    if isinstance(module, str) and not _is_own(module, name):
        return f"the class {module}.{name}"[:200]
    config = each.get("config")
    vocabulary = config.get("vocabulary") if short in _READS_FILES and isinstance(config, dict) else None
    if isinstance(vocabulary, str) and vocabulary:
        return f"a {short} layer that reads the file {vocabulary[:200]!r}"
    return ""


def _is_own(module: str, name: str) -> bool:
    if module == "builtins":
        return _BUILT_IN.fullmatch(name) is not None
    return _MODULES.fullmatch(module) is not None


# Files and pickles that its weights lead to: Keras 3.13 and later refuse such links themselves; earlier ones follow
# them.

_SIGNATURE, _USER_BLOCKS = b"\x89HDF\r\n\x1a\n", (0, 512, 1024, 2048, 4096, 8192)
_NUMPY = b"\x93NUMPY"
#: Bytes of a .npy that hold its header, and more: NumPy refuses headers of more than 10,000 characters.
_HEAD = 20_000


def links_in_hdf5(path: Path) -> Iterator[str]:
    """What in an HDF5 file leads to other files.

    Raises:
        Damage: it is broken, or not read here.
    """
    with Files(path) as files:
        yield from leads_outside(files.main())


def links_in_archive(path: Path) -> Iterator[str]:
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


def pickles_in_archive(path: Path) -> Iterator[str]:
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
