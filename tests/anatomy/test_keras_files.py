"""HDF5 alone and in Keras' archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.made_files import keras_archive, save
from tests.anatomy.real_anatomies import anatomy

if TYPE_CHECKING:
    from pathlib import Path

STORED, DEFLATED = 0, 8


def test_a_whole_model_names_its_layers_and_its_optimiser() -> None:
    found = anatomy("emotion.hdf5")
    roles = {role: sum(tensor.stored for tensor in found.tensors if tensor.role is role) for role in Role}
    assert roles[Role.OPTIMIZER] == 455_612
    assert roles[Role.WEIGHT] == 4 * 58_423
    largest = max((tensor for tensor in found.tensors if tensor.role is Role.WEIGHT), key=lambda each: each.stored)
    assert (largest.layer, largest.shape) == ("separable_conv2d_8/separable_conv2d_8_1", (1, 1, 128, 128))


@pytest.mark.parametrize("compression", [STORED, DEFLATED])
def test_the_archive_holds_the_same_tensors(compression: int, tmp_path: Path) -> None:
    path = save(tmp_path / "m.keras", keras_archive(fetch("emotion.hdf5").read_bytes(), compression=compression))
    found, plain = read(path), anatomy("emotion.hdf5")
    assert found.totals.size == path.stat().st_size
    assert found.totals.unclaimed == 0
    assert found.totals.params == plain.totals.params
    assert found.totals.memory == plain.totals.memory
    if compression == STORED:
        assert found.totals.tensors == plain.totals.tensors
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    with Contents(found) as contents, Contents(plain) as expected:
        for tensor, other in zip(found.tensors, plain.tensors, strict=True):
            assert (tensor.name, tensor.shape) == (other.name, other.shape)
            assert contents.digest(tensor) == expected.digest(other)


def test_a_user_block_is_metadata(tmp_path: Path) -> None:
    content = fetch("emotion.hdf5").read_bytes()
    found = read(save(tmp_path / "m.h5", bytes(512) + content))
    assert found.totals.size == len(content) + 512
    assert found.totals.metadata == anatomy("emotion.hdf5").totals.metadata + 512
    assert found.totals.params == 58_423


def test_a_cut_file_says_how_long_it_should_be(tmp_path: Path) -> None:
    content = fetch("emotion.hdf5").read_bytes()
    with pytest.raises(ModelError, match="it should have 872,856 bytes and has 400,000: it has been cut off"):
        read(save(tmp_path / "m.h5", content[:400_000]))


def test_an_archive_whose_member_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(keras_archive(fetch("emotion.hdf5").read_bytes(), compression=DEFLATED))
    at = content.rfind(b"model.weights.h5") - 46 + 24
    content[at : at + 4] = (872_855).to_bytes(4, "little")
    with pytest.raises(ModelError, match=r"its member 'model.weights.h5' has another size than the archive claims"):
        read(save(tmp_path / "m.keras", bytes(content)))
