"""XGBoost's and LightGBM's own files, written by hand: every byte has an owner.

Files that the libraries wrote are in `tests/converters/to_onnx/sklearn/test_boosters.py`.
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from edgecheck.anatomy.formats import ModelFormat, identify
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role
from edgecheck.errors import ModelError
from tests.anatomy.small_files import save


def ubj_array(name: bytes, kind: bytes, numbers: bytes, count: int) -> bytes:
    """A member of UBJSON: the key, and an array `[$kind#count`."""
    return b"L" + struct.pack(">q", len(name)) + name + b"[$" + kind + b"#L" + struct.pack(">q", count) + numbers


UBJ = (
    b"{L" + struct.pack(">q", 7) + b"learner{"
    + ubj_array(b"split_conditions", b"d", struct.pack(">3f", 0.5, 1, 2), 3)
    + ubj_array(b"left_children", b"l", struct.pack(">3i", 1, -1, -1), 3)
    + ubj_array(b"sum_hessian", b"d", struct.pack(">3f", 9, 4, 5), 3)
    + ubj_array(b"split_conditions", b"d", struct.pack(">f", 3), 1)
    + b"}}"
)  # fmt: skip
JSON = (
    b'{"learner":{"trees":[{"split_conditions":[5E-1,1E0,2E0],"left_children":[1,-1,-1],"sum_hessian":[9,4,5],'
    b'"categories":[]}, {"split_conditions": [3]}],'
    b'"attributes":{"a":"{\\"split_conditions\\":[7,7]}"}},"version":[3,2,0]}'
)
TEXT = (
    b"tree\nversion=v4\nnum_class=1\n\nTree=0\nnum_leaves=2\nsplit_feature=0\nsplit_gain=1.5\nthreshold=0.25\n"
    b"leaf_value=-1 2.5\nleaf_count=3 4\n\nTree=1\nnum_leaves=2\nsplit_feature=1\nthreshold=7\nleaf_value=1 3\n"
    b"\nend of trees\n\nfeature_importances:\nColumn_0=1\n\nparameters:\n[boosting: gbdt]\nend of parameters\n"
)


def of(anatomy: Anatomy, role: Role) -> dict[str, int]:
    """Elements by name."""
    return {tensor.name: tensor.elements for tensor in anatomy.tensors if tensor.role is role}


@pytest.mark.parametrize(
    ("content", "found", "learned", "indices"),
    [
        (UBJ, ModelFormat.XGBOOST, {"split_conditions": 4}, {"left_children": 3}),
        (JSON, ModelFormat.XGBOOST, {"split_conditions": 4}, {"left_children": 3}),
        (TEXT, ModelFormat.LIGHTGBM, {"threshold": 2, "leaf_value": 4}, {"split_feature": 2}),
        (TEXT.replace(b"\n", b"\r\n"), ModelFormat.LIGHTGBM, {"threshold": 2, "leaf_value": 4}, {"split_feature": 2}),
    ],
    ids=["ubj", "json", "text", "text of Windows"],
)
def test_learned_numbers_are_told_from_indices_and_notes(
    content: bytes, found: ModelFormat, learned: dict[str, int], indices: dict[str, int], tmp_path: Path
) -> None:
    path = save(tmp_path / "model", content)
    anatomy = read(path)
    assert (identify(path), anatomy.format) == (found, found)
    assert (of(anatomy, Role.WEIGHT), of(anatomy, Role.CONSTANT)) == (learned, indices)
    assert anatomy.totals.params == sum(learned.values())
    assert anatomy.totals.size == anatomy.size == len(content)
    assert anatomy.totals.unclaimed == 0
    assert not anatomy.files[0].overlaps
    assert anatomy.totals.metadata > 0


def test_a_text_without_its_end_is_noted(tmp_path: Path) -> None:
    anatomy = read(save(tmp_path / "model.txt", TEXT[: TEXT.index(b"end of trees")]))
    assert anatomy.notes == ("It has no line `end of trees`: it may have been cut off.",)


def test_an_array_that_claims_more_than_the_file_has_is_damage(tmp_path: Path) -> None:
    lying = b"{L" + struct.pack(">q", 7) + b"learner{" + ubj_array(b"split_conditions", b"d", b"", 1 << 40)
    with pytest.raises(ModelError, match="is damaged"):
        read(save(tmp_path / "model.ubj", lying))
