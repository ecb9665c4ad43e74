"""Files that Keras writes, against the model that was saved; and HDF5 files that h5py writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role

pytest.importorskip("tensorflow", reason="tensorflow is not installed")
keras = pytest.importorskip("keras", reason="keras is not installed")
np = pytest.importorskip("numpy")

pytestmark = [pytest.mark.convert, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def model() -> Any:
    """A trained network of four layers with weights."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.BatchNormalization(name="bn")(layers.Conv2D(8, 3, name="stem")(image))
    x = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(16, 3, name="sep")(x))
    made = keras.Model(image, layers.Dense(10, name="head")(x))
    made.compile("adam", "mse")
    made.fit(np.ones((4, 16, 16, 3)), np.ones((4, 10)), verbose=0)
    return made


def checked(path: Path) -> Anatomy:
    found = read(path)
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    assert found.totals.size == sum(each.stat().st_size for each in files)
    assert found.totals.unclaimed == 0
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    return found


def weights_of(model: Any) -> list[bytes]:
    return sorted(np.asarray(weight).tobytes() for weight in model.get_weights())


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_saved_models(name: str, model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / name)
    found = checked(tmp_path / name)
    assert found.totals.params == model.count_params()
    weights = [tensor for tensor in found.tensors if tensor.role is Role.WEIGHT]
    with Contents(found) as contents:
        assert sorted(b"".join(contents.pieces(tensor)) for tensor in weights) == weights_of(model)
    assert {tensor.layer for tensor in weights} == {"stem", "bn", "sep", "head"}
    optimizer = sum(tensor.stored for tensor in found.tensors if tensor.role is Role.OPTIMIZER)
    assert optimizer > 2 * 4 * sum(weight.shape.num_elements() for weight in model.trainable_variables)


def test_weights_alone(model: Any, tmp_path: Path) -> None:
    model.save_weights(tmp_path / "m.weights.h5")
    assert checked(tmp_path / "m.weights.h5").totals.params == model.count_params()


def test_layers_in_layers_and_recurrent_cells(tmp_path: Path) -> None:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(5, name="deep")], name="inner")
    model = keras.Sequential([keras.Input((7, 4)), layers.LSTM(4, name="memory"), inner, layers.Dense(2, name="out")])
    model.save(tmp_path / "m.keras")
    found = checked(tmp_path / "m.keras")
    assert found.totals.params == model.count_params()
    layers_found = {tensor.layer for tensor in found.tensors if tensor.role is Role.WEIGHT}
    assert {"inner/deep", "out"} <= layers_found
    assert any(layer.startswith("memory") for layer in layers_found)


def test_many_layers_need_trees_of_several_nodes(tmp_path: Path) -> None:
    layers = [keras.layers.Dense(3, name=f"d{number}") for number in range(300)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.save(tmp_path / "m.h5")
    assert checked(tmp_path / "m.h5").totals.params == model.count_params()


def test_chunks_filters_links_and_texts(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    values = np.random.default_rng(0).standard_normal((100, 100))
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("packed", data=values, chunks=(10, 100), compression="gzip", shuffle=True)
        file.create_dataset("chunked", data=values, chunks=(33, 100))
        file.create_dataset("words", data=["ham", "spam"], dtype=h5py.string_dtype())
        file.create_dataset("never written", shape=(1000, 1000))
        file["again"] = file["chunked"]
        file["soft"] = h5py.SoftLink("/packed")
        file.attrs["note"] = "text"
    found = checked(tmp_path / "m.h5")
    summary = {tensor.name: (tensor.encoding, tensor.shares, tensor.params) for tensor in found.tensors}
    assert summary == {
        "again": ("", "", 10_000),
        "chunked": ("", "again", 0),
        "packed": ("shuffle+zlib", "", 10_000),
        "words": ("references", "", 0),
        "never written": ("filled", "", 0),
    }


def test_links_in_a_heap_are_refused_with_a_reason(tmp_path: Path) -> None:
    from edgecheck.errors import ModelError

    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w", track_order=True) as file:
        for number in range(20):
            file.create_dataset(f"d{number}", data=np.ones(4))
    with pytest.raises(ModelError, match="its groups keep their links in a heap"):
        read(tmp_path / "m.h5")
