"""Which model format a zip archive holds, by the names of its members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgecheck.anatomy.encodings.ziparchive import STORED, read_archive
from edgecheck.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edgecheck.anatomy.encodings.span import Span
    from edgecheck.anatomy.encodings.ziparchive import Member

_MODEL_SUFFIXES = (".tflite", ".onnx", ".keras", ".h5", ".hdf5", ".pt", ".pth", ".pt2", ".safetensors")


def zip_format(path: Path, span: Span) -> str:
    """The value of the `ModelFormat` of the archive.

    Raises:
        Damage: the archive has been cut off or its directory is broken.
        ModelError: it is an archive, but not a model.
    """
    members = read_archive(span).members
    names = {member.name for member in members}
    if {"config.json", "metadata.json"} <= names:
        return "keras"
    inner = {name.partition("/")[2] for name in names}
    if {"serialized_exported_program.json", "version"} <= names or _says_pt2(span, members):
        return "pt2"
    if "data.pkl" in inner:
        return "torchscript" if "constants.pkl" in inner else "torch-zip"
    if "schema.json" in names:
        return "skops"
    raise _not_a_model(path, sorted(names))


def _says_pt2(span: Span, members: tuple[Member, ...]) -> bool:
    for member in members:
        if member.name.rpartition("/")[2] == "archive_format" and member.method == STORED:
            return span.raw(member.start, min(member.size, 3)) == b"pt2"
    return False


def _not_a_model(path: Path, names: list[str]) -> ModelError:
    if names and all(name.endswith(".npy") for name in names):
        return ModelError(
            f"{path} is a NumPy archive of arrays, not a model.",
            "Name the model; arrays like these may be its `samples`.",
        )
    if any(name.endswith("saved_model.pb") for name in names):
        return ModelError(f"{path} is a zip archive of a SavedModel.", "Unpack it and name the folder.")
    if any(name.endswith("Manifest.json") for name in names):
        return ModelError(f"{path} is a zip archive of an .mlpackage.", "Unpack it and name the folder.")
    models = [name for name in names if name.lower().endswith(_MODEL_SUFFIXES)]
    if models:
        return ModelError(f"{path} is a zip archive that holds {models[0]}.", "Unpack it and name the file inside.")
    return ModelError(f"{path} is a zip archive, but not a model.", "Name the model's own file.")
