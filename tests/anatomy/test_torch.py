"""Torch's archives and safetensors, written here byte by byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role
from edgecheck.errors import ModelError
from tests.anatomy.small_files import archive, safetensors, save, torch_archive, torch_pickle, torch_tensor

NUMBERS = np.arange(24, dtype="<f4").tobytes()
WHOLE = (0, (4, 6), (6, 1))


def checked(path: Path) -> Anatomy:
    """The anatomy of a file, all of whose bytes are accounted for."""
    found = read(path)
    assert found.totals.size == path.stat().st_size
    assert found.totals.unclaimed == 0
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    return found


def saved(tmp_path: Path, named: dict[str, bytes], storages: dict[str, bytes]) -> Anatomy:
    return checked(save(tmp_path / "net.pt", torch_archive(named, storages)))


def summary(found: Anatomy) -> dict[str, tuple[tuple[int, ...], int, str]]:
    return {tensor.name: (tensor.shape, tensor.stored, tensor.shares) for tensor in found.tensors}


def test_a_state_dict_is_read_with_its_contents(tmp_path: Path) -> None:
    found = saved(tmp_path, {"a.weight": torch_tensor("0", "FloatStorage", 24, WHOLE)}, {"0": NUMBERS})
    assert summary(found) == {"a.weight": ((4, 6), 96, "")}
    assert found.totals.params == 24
    with Contents(found) as contents:
        assert b"".join(contents.pieces(found.tensors[0])) == NUMBERS


def test_tied_weights_share_their_storage(tmp_path: Path) -> None:
    both = torch_tensor("0", "FloatStorage", 24, WHOLE)
    found = saved(tmp_path, {"in.weight": both, "out.weight": both}, {"0": NUMBERS})
    assert summary(found) == {"in.weight": ((4, 6), 96, ""), "out.weight": ((4, 6), 0, "in.weight")}
    assert found.totals.params == 24


def test_views_divide_a_storage_and_the_rest_is_unused(tmp_path: Path) -> None:
    first = torch_tensor("0", "FloatStorage", 24, (0, (2, 6), (6, 1)))
    inside = torch_tensor("0", "FloatStorage", 24, (6, (6,), (1,)))
    last = torch_tensor("0", "FloatStorage", 24, (18, (3,), (1,)))
    found = saved(tmp_path, {"first": first, "inside": inside, "last": last}, {"0": NUMBERS})
    assert summary(found) == {
        "first": ((2, 6), 48, ""),
        "inside": ((6,), 0, "first"),
        "last": ((3,), 12, ""),
        "rest of the storage of first": ((24,), 24, ""),
    } | {"rest of the storage of first": ((12,), 12, "")}
    unused = [tensor for tensor in found.tensors if tensor.role is Role.UNUSED]
    assert [tensor.stored for tensor in unused] == [24, 12]


def test_a_storage_without_tensors_is_unused(tmp_path: Path) -> None:
    found = saved(tmp_path, {}, {"7": bytes(40)})
    assert summary(found) == {"rest of storage 7": ((40,), 40, "")}


@pytest.mark.parametrize(
    ("kind", "dtype", "role"),
    [
        ("HalfStorage", "float16", Role.WEIGHT),
        ("BFloat16Storage", "bfloat16", Role.WEIGHT),
        ("QInt8Storage", "int8", Role.WEIGHT),
        ("LongStorage", "int64", Role.CONSTANT),
        ("BoolStorage", "bool", Role.CONSTANT),
    ],
)
def test_types_of_storages(kind: str, dtype: str, role: Role, tmp_path: Path) -> None:
    size = {"float16": 2, "bfloat16": 2, "int64": 8}.get(dtype, 1)
    found = saved(tmp_path, {"t": torch_tensor("0", kind, 3, (0, (3,), (1,)))}, {"0": bytes(3 * size)})
    assert (found.tensors[0].dtype, found.tensors[0].role, found.tensors[0].stored) == (dtype, role, 3 * size)


def test_an_optimisers_state_is_recognised(tmp_path: Path) -> None:
    inner = torch_tensor("0", "FloatStorage", 24, WHOLE)
    moment = torch_tensor("1", "FloatStorage", 24, WHOLE)
    pickle = torch_pickle(
        {"model": torch_pickle({"w": inner})[2:-1], "optimizer": torch_pickle({"exp_avg": moment})[2:-1]}
    )
    members = {"c/data.pkl": pickle, "c/data/0": NUMBERS, "c/data/1": NUMBERS}
    found = checked(save(tmp_path / "c.ckpt", archive(members)))
    assert {tensor.name: tensor.role for tensor in found.tensors} == {
        "model.w": Role.WEIGHT,
        "optimizer.exp_avg": Role.OPTIMIZER,
    }
    assert found.totals.params == 24


@pytest.mark.parametrize(
    ("view", "storages", "sentence"),
    [
        ((0, (4, 7), (7, 1)), {"0": NUMBERS}, "tensor 'w' reaches 16 bytes beyond its storage 0"),
        ((2**40, (1,), (1,)), {"0": NUMBERS}, "beyond its storage"),
        (WHOLE, {"1": NUMBERS}, "tensor 'w' uses the storage 0, which is missing"),
    ],
)
def test_tensors_without_their_storage_are_refused(
    view: tuple[int, tuple[int, ...], tuple[int, ...]], storages: dict[str, bytes], sentence: str, tmp_path: Path
) -> None:
    named = {"w": torch_tensor("0", "FloatStorage", 24, view)} if view[0] < 2**31 else {}
    if not named:
        named = {"w": torch_tensor("0", "FloatStorage", 24, (2**31 - 1, view[1], view[2]))}
    with pytest.raises(ModelError, match=sentence):
        read(save(tmp_path / "net.pt", torch_archive(named, storages)))


ENTRY = {"dtype": "F32", "shape": [4, 6], "data_offsets": [0, 96]}


def test_safetensors_are_read_with_their_metadata_and_filling(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt", "schön": "ja"}, "a.weight": ENTRY}
    found = checked(save(tmp_path / "m.safetensors", safetensors(header, NUMBERS, padding=5)))
    assert summary(found) == {"a.weight": ((4, 6), 96, "")}
    assert (found.totals.padding, found.totals.params) == (5, 24)
    text = '"__metadata__": {"format": "pt", "sch\\u00f6n": "ja"}'
    assert found.totals.metadata == len(text)
    with Contents(found) as contents:
        assert contents.glance(found.tensors[0])[:96] == NUMBERS


def test_safetensors_may_leave_gaps_which_are_listed(tmp_path: Path) -> None:
    header = {"a": {**ENTRY, "data_offsets": [8, 104]}}
    found = read(save(tmp_path / "m.safetensors", safetensors(header, b"\1" * 8 + NUMBERS)))
    assert found.totals.unclaimed == 8
    assert [gap.size for gap in found.files[0].gaps] == [8]
    assert found.totals.size == found.size


def test_overlapping_tensors_are_counted_once_and_listed(tmp_path: Path) -> None:
    header = {"a": ENTRY, "b": {"dtype": "F32", "shape": [6], "data_offsets": [80, 104]}}
    found = read(save(tmp_path / "m.safetensors", safetensors(header, NUMBERS + bytes(8))))
    assert found.totals.size == found.size
    assert [overlap.size for overlap in found.files[0].overlaps] == [16]


@pytest.mark.parametrize(
    "header",
    [
        {"a": {**ENTRY, "data_offsets": [0, 2**60]}},
        {"a": {**ENTRY, "data_offsets": [96, 0]}},
        {"a": {**ENTRY, "data_offsets": [50, 200]}},
    ],
)
def test_safetensors_that_lead_nowhere_are_refused(header: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is damaged"):
        read(save(tmp_path / "m.safetensors", safetensors(header, NUMBERS)))


def test_a_header_that_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="its header is not JSON"):
        read(save(tmp_path / "m.safetensors", b"\x0a" + bytes(7) + b'{"a": [[[[' + NUMBERS))
