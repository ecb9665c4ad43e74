"""HDF5 files that h5py wrote (see `data/make_hdf5.py`), and real ones of Keras, alone and in its archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy
from tests.anatomy.small_files import keras_archive, save

STORED, DEFLATED = 0, 8
DATA = Path(__file__).parent / "data"
VALUES = np.arange(400, dtype="<f4").reshape(20, 20)
CLASSIC = {
    "again": ("float32", (20, 20), "", ""),
    "chunked": ("float32", (20, 20), "", "again"),
    "compact": ("int16", (4,), "", ""),
    "layers/dense/vars/0": ("float32", (2, 20), "", ""),
    "never written": ("float32", (1000, 1000), "filled", ""),
    "packed": ("float32", (20, 20), "shuffle+zlib+fletcher32", ""),
    "swapped": ("float64", (4,), "big-endian", ""),
    "truth": ("bool", (3,), "", ""),
    "words": ("string", (2,), "references", ""),
}
LATEST = {
    "whole": ("float32", (20, 20), "", ""),
    "single": ("float32", (20, 20), "", ""),
    "packed": ("float32", (20, 20), "zlib", ""),
    **{f"group/{number}": ("float32", (20,), "", "") for number in range(4)},
}


@pytest.mark.parametrize(("name", "expected"), [("classic.h5", CLASSIC), ("latest.h5", LATEST)])
def test_every_dataset_and_every_byte(name: str, expected: dict[str, object]) -> None:
    found = read(DATA / name)
    assert {each.name: (each.dtype, each.shape, each.encoding, each.shares) for each in found.tensors} == expected
    assert found.totals.size == (DATA / name).stat().st_size
    assert found.totals.unclaimed == 0
    assert found.files[0].overlaps == ()
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors


def test_plain_datasets_lie_where_the_anatomy_says() -> None:
    classic, latest = read(DATA / "classic.h5"), read(DATA / "latest.h5")
    for found, name, expected in (
        (classic, "compact", np.arange(4, dtype="<i2")),
        (classic, "swapped", np.arange(4, dtype=">f8")),
        (classic, "layers/dense/vars/0", VALUES[:2]),
        (latest, "whole", VALUES),
        (latest, "single", VALUES),
        (latest, "group/3", VALUES[3]),
    ):
        tensor = next(each for each in found.tensors if each.name == name)
        with Contents(found) as contents:
            assert b"".join(contents.pieces(tensor)) == expected.tobytes()


def test_chunks_are_found_one_by_one() -> None:
    chunked = next(tensor for tensor in read(DATA / "classic.h5").tensors if tensor.name == "again")
    assert [place.size for place in chunked.places] == [7 * 20 * 4] * 3


def test_layers_have_the_names_that_keras_writes_as_attributes() -> None:
    found = read(DATA / "classic.h5")
    assert next(tensor.layer for tensor in found.tensors if tensor.name.startswith("layers/")) == "head"


def test_versions_are_metadata() -> None:
    parts = {part.what: part.kind.value for part in read(DATA / "classic.h5").files[0].parts}
    assert parts["training settings and versions"] == "metadata"
    assert parts["attributes"] == "structure"


def test_links_in_a_heap_are_not_followed_and_that_is_said() -> None:
    with pytest.raises(ModelError) as caught:
        read(DATA / "ordered.h5")
    assert "cannot be read: its groups keep their links in a heap" in caught.value.message
    assert caught.value.hint.startswith("Save it again with its framework's defaults")


@pytest.mark.parametrize("name", ["classic.h5", "latest.h5"])
def test_any_changed_byte_is_refused_or_accounted_for(name: str, tmp_path: Path) -> None:
    """Every fourth byte of the file's first 3,000, set to 255."""
    content = (DATA / name).read_bytes()
    refused = 0
    for at in range(0, 3000, 4):
        path = save(tmp_path / "m.h5", content[:at] + b"\xff" + content[at + 1 :])
        try:
            found = read(path)
        except ModelError:
            refused += 1
            continue
        assert found.totals.size == len(content)
    assert 20 < refused < 300  # of 750: most bytes of these files are numbers or reserved


def test_a_saved_model_names_its_layers_and_its_optimiser() -> None:
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
