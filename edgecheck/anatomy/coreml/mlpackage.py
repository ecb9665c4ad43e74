"""Reads `.mlpackage` folders: a MIL program, and the weight files to which it points.

Weight files: https://github.com/apple/coremltools/blob/main/mlmodel/src/MILBlob/Blob/StorageFormat.hpp, "Blob Storage
File Format". The folder is that of coremltools' `ModelPackage`: a manifest, and the items that it lists in `Data`.
"""

from __future__ import annotations

from math import prod
from pathlib import PurePosixPath

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import check_size, cut, quoted
from edgecheck.anatomy.accounting.region import Held, Owners, Region
from edgecheck.anatomy.coreml.program import Constant, MilWalk
from edgecheck.anatomy.dtypes import dense_size, is_float, is_quantised
from edgecheck.anatomy.encodings.archive_parts import as_dict, as_text, read_json
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.scopes import layer_of
from edgecheck.anatomy.values import Inside, Kind, Role, Tensor

_MANIFEST = Label(Kind.STRUCTURE, "manifest")
_BLOB_HEADERS = Label(Kind.STRUCTURE, "weight headers")
_OTHER = Label(Kind.METADATA, "other files")
#: A weight file's headers and weights are aligned to this many bytes; its headers have this size, too.
_ALIGNMENT = 64
#: How the header of a weight begins (`BlobMetadataSentinel`).
_SENTINEL = 0xDEADBEEF
#: How a program names the folder of its weight files.
_MODEL_PATH = "@model_path/"


def read_mlpackage(files: Files) -> Inside:
    """The constants of a MIL program; a `reading.Reader`."""
    manifest = files.open("Manifest.json")
    manifest.claim(0, manifest.span.size, _MANIFEST)
    model = PurePosixPath("Data") / _root(as_dict(read_json(manifest.span, "manifest")))
    region = files.open(str(model))
    walk = MilWalk(region)
    walk.model()
    weights = _Weights(files, model.parent, region)
    tensors = tuple(weights.tensor(constant, walk.users) for constant in walk.constants)
    files.claim_rest(_OTHER)
    note = "This Core ML model is not a MIL program: its weights are not listed one by one."
    return Inside(tensors, dict(walk.operators), () if walk.is_program else (note,))


def _root(manifest: dict[str, object]) -> str:
    """The path of the model in the folder `Data`."""
    entries = as_dict(manifest.get("itemInfoEntries"))
    path = as_dict(entries.get(as_text(manifest.get("rootModelIdentifier")))).get("path")
    if not isinstance(path, str):
        raise Damage("its manifest names no model")
    return path


class _Weights:
    """Turns constants into tensors; their numbers are in the program's file or in weight files."""

    def __init__(self, files: Files, folder: PurePosixPath, program: Region) -> None:
        self._files = files
        self._folder = folder
        self._program = program
        self._owners = Owners()
        self._headed: set[str] = set()

    def tensor(self, constant: Constant, users: dict[str, str]) -> Tensor:
        """A constant as a tensor."""
        elements = prod(constant.shape)
        if constant.file:
            held = self._in_file(constant)
            check_size(constant.name, constant.dtype, constant.shape, sum(place.size for place in held.places))
        else:
            stored = sum(size for _, size in constant.extents)
            held = Held(stored, tuple(self._program.place(*extent) for extent in constant.extents), "")
        learned = is_float(constant.dtype) or is_quantised(constant.dtype)
        memory = dense_size(constant.dtype, elements) or held.stored
        return Tensor(
            name=constant.name,
            layer=layer_of(constant.name),
            operator=users.get(constant.name, ""),
            dtype=constant.dtype,
            shape=constant.shape,
            role=Role.WEIGHT if learned and constant.shape else Role.CONSTANT,
            stored=held.stored,
            memory=memory,
            places=held.places,
            shares=held.shares,
            encoding="" if constant.file or held.stored == memory else "varint",
        )

    def _in_file(self, constant: Constant) -> Held:
        """The bytes of a constant in a weight file, which has one header for the file and one for each weight."""
        name = str(self._folder / constant.file.removeprefix(_MODEL_PATH))
        region = self._files.open(name, _ALIGNMENT)
        if name not in self._headed:
            self._headed.add(name)
            region.claim(0, min(_ALIGNMENT, region.span.size), _BLOB_HEADERS)  # storage_header
        at = constant.offset
        if region.span.u32(at) != _SENTINEL:  # blob_metadata: sentinel, mil_dtype, sizeInBytes, offset
            raise Damage(f"the weight {quoted(constant.name)} is not at byte {at:,} of {cut(name)}")
        region.span.sub(at, _ALIGNMENT)
        held = self._owners.hold(constant.name, region, (region.span.u64(at + 16), region.span.u64(at + 8)))
        if not held.shares:
            region.claim(at, _ALIGNMENT, _BLOB_HEADERS)
        return held
