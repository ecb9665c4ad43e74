"""Reads `.pt2`: a program saved by `torch.export`, in the current layout or the one before torch 2.8.

https://docs.pytorch.org/docs/stable/export/pt2_archive.html, all sections. The JSON of graphs and weights follows
torch/_export/serde/schema.py. The older layout has the program as JSON, and the weights as archives of `torch.save`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from edgecheck.anatomy.accounting.files import Files
from edgecheck.anatomy.accounting.ledger import Label
from edgecheck.anatomy.accounting.limits import checked_shape, cut
from edgecheck.anatomy.accounting.region import Region
from edgecheck.anatomy.encodings.archive_parts import (
    as_dict,
    as_list,
    as_size,
    as_text,
    claim_archive,
    claim_member,
    member_region,
    read_json,
)
from edgecheck.anatomy.encodings.span import Damage
from edgecheck.anatomy.encodings.ziparchive import STORED, Member
from edgecheck.anatomy.torch.saved import archive_tensors
from edgecheck.anatomy.torch.storages import Named, View, reach, tensors_of
from edgecheck.anatomy.values import Inside, Kind

_GRAPH = Label(Kind.STRUCTURE, "graph")
_CONFIG = Label(Kind.STRUCTURE, "weights' records")
_RECORDS = Label(Kind.STRUCTURE, "version records")
_CODE = Label(Kind.STRUCTURE, "compiled code")
_SAMPLES = Label(Kind.METADATA, "sample inputs")
_EXTRA = Label(Kind.METADATA, "extra files")
#: torch._export.serde.schema.ScalarType.
_TYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn",
    30: "float8_e5m2", 31: "float8_e4m3fnuz", 32: "float8_e5m2fnuz", 33: "float8_e8m0", 34: "uint32", 35: "uint64",
}  # fmt: skip
#: Endings of the lists that say which member holds which weight.
_CONFIGS = ("_weights_config.json", "_constants_config.json")
#: The members that hold the weights in the older layout.
_OLD_ARCHIVES = ("serialized_state_dict.pt", "serialized_constants.pt")


def read_pt2(files: Files) -> Inside:
    """The tensors of an exported program; a `reading.Reader`."""
    region = files.main()
    members = _by_inner_name(claim_archive(region).members)
    named, pickled = _configured(region, members)
    pickled |= {name: "" for name in _OLD_ARCHIVES if name in members}
    storages = {name: member for name, member in members.items() if _is_storage(name) and name not in pickled}
    tensors = tensors_of(named, _extents(storages), region)
    for name, path in pickled.items():
        tensors += archive_tensors(_stored(region, members[name]), (path,) if path else ())
    for name in members.keys() - storages.keys() - pickled.keys():
        claim_member(region, members[name], _label(name))
    operators, users = _graph(region, members)
    return Inside(tuple(replace(tensor, operator=users.get(tensor.name, "")) for tensor in tensors), operators)


def _by_inner_name(members: tuple[Member, ...]) -> dict[str, Member]:
    """The members by their names without the first folder, which is named after the file; older files have none."""
    nested = any(member.name.endswith("/archive_format") for member in members)
    return {member.name.partition("/")[2] if nested else member.name: member for member in members}


def _configured(region: Region, members: dict[str, Member]) -> tuple[list[Named], dict[str, str]]:
    """The tensors in the lists of weights; and, by member, the names of those that are archives of `torch.save`."""
    named: list[Named] = []
    pickled: dict[str, str] = {}
    for name, member in members.items():
        if not name.startswith("data/") or not name.endswith(_CONFIGS):
            continue
        with member_region(region, member) as content:
            config = as_dict(read_json(content.span, "list of weights"))
        for path, entry in as_dict(config.get("config")).items():
            meta = as_dict(entry)
            target = f"{name.rpartition('/')[0]}/{as_text(meta.get('path_name'))}"
            if meta.get("use_pickle") and target in members:
                pickled[target] = path
            elif meta.get("tensor_meta") is not None:
                named.append(Named((path,), _view(target, as_dict(meta["tensor_meta"]))))
    return named, pickled


def _view(storage: str, meta: dict[str, object]) -> View:
    """A `TensorMeta` as a view of its storage."""
    shape, strides = checked_shape(_sizes(meta.get("sizes"))), _sizes(meta.get("strides"))
    dtype = _TYPES.get(as_size(meta.get("dtype")), "bytes")
    offset = as_size(as_dict(meta.get("storage_offset")).get("as_int"))
    return View(storage, dtype, shape, offset, reach(shape, strides), quantised=False)


def _sizes(value: object) -> tuple[int, ...]:
    """A list of `SymInt`."""
    return tuple(as_size(as_dict(size).get("as_int")) for size in as_list(value))


def _is_storage(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return (folder == "data/weights" and file.startswith("weight_")) or (
        folder == "data/constants" and file.startswith("tensor_")
    )


def _extents(storages: dict[str, Member]) -> dict[str, tuple[int, int]]:
    for name, member in storages.items():
        if member.method != STORED:
            raise Damage(f"its member {cut(name)} is compressed, which torch does not read")
    return {name: (member.start, member.start + member.packed) for name, member in storages.items()}


def _stored(region: Region, member: Member) -> Region:
    if member.method != STORED:
        raise Damage(f"its member {cut(member.name)} is compressed, which torch does not read")
    return region.sub(member.start, member.packed)


def _label(name: str) -> Label:
    folder, _, file = name.rpartition("/")
    if folder == "models" or file == "serialized_exported_program.json":
        return _GRAPH
    if "sample_inputs" in folder or file == "serialized_example_inputs.pt":
        return _SAMPLES
    if name.endswith(_CONFIGS):
        return _CONFIG
    if folder.startswith("extra"):
        return _EXTRA
    return _CODE if folder.startswith("data/aotinductor") else _RECORDS


def _graph(region: Region, members: dict[str, Member]) -> tuple[dict[str, int], dict[str, str]]:
    """How often each operator is used, and which one uses each weight first."""
    operators: Counter[str] = Counter()
    users: dict[str, str] = {}
    for name, member in members.items():
        if _label(name) is not _GRAPH:
            continue
        with member_region(region, member) as content:
            module = as_dict(as_dict(read_json(content.span, "graph")).get("graph_module"))
        weights = _weights_by_argument(as_dict(module.get("signature")))
        for node in map(as_dict, as_list(as_dict(module.get("graph")).get("nodes"))):
            target = as_text(node.get("target")).removeprefix("torch.ops.")
            operators[target] += 1
            for given in map(as_dict, as_list(node.get("inputs"))):
                argument = as_text(as_dict(as_dict(given.get("arg")).get("as_tensor")).get("name"))
                if argument in weights:
                    users.setdefault(weights[argument], target)
    return dict(operators), users


def _weights_by_argument(signature: dict[str, object]) -> dict[str, str]:
    """The names of the weights by the names of the graph inputs through which they are passed."""
    weights = {}
    for spec in map(as_dict, as_list(signature.get("input_specs"))):
        for kind, value in spec.items():
            entry = as_dict(value)
            argument = as_text(as_dict(entry.get("arg")).get("name"))
            weights[argument] = as_text(entry.get(f"{kind}_name"))
    return weights
