"""What opening a Keras model would run or read besides its own file: classes in its configuration, found as JSON.

Keras looks up classes by module and name, and evaluates the bytecode of Lambda layers. The configuration is
`config.json` in a `.keras` and the attribute `model_config` in HDF5:
https://keras.io/guides/serialization_and_saving/.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.limits import quoted
from edgecheck.anatomy.encodings.span import Damage
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


def of_keras(path: Path) -> Iterator[str]:
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


def of_hdf5(path: Path) -> Iterator[str]:
    """What opening a complete model in HDF5 would run. See `of_keras`; weights alone have no configuration."""
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
