"""SavedModel folders: a real one, broken ones, and one that Keras exports."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgecheck.anatomy.duplicates import repeated
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy

INDEX = Path("variables", "variables.index")


def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(fetch("nmp_saved_model"), tmp_path / "m"))


def test_variables_have_the_names_of_the_program() -> None:
    found = anatomy("nmp_saved_model")
    variables = [tensor for tensor in found.tensors if tensor.operator != "Const" and tensor.role is Role.WEIGHT]
    assert variables
    assert all(tensor.checksum >= 0 and "/" in tensor.name for tensor in variables)
    assert all(found.files[tensor.places[0].file].name.startswith("variables/") for tensor in variables)


def test_an_index_without_its_footer_has_been_cut_off(tmp_path: Path) -> None:
    model = copied(tmp_path)
    (model / INDEX).write_bytes((model / INDEX).read_bytes()[:-1])
    with pytest.raises(ModelError, match="its index of variables has no footer: it has been cut off"):
        read(model)


def test_a_compressed_index_is_refused(tmp_path: Path) -> None:
    model = copied(tmp_path)
    content = bytearray((model / INDEX).read_bytes())
    content[len(content) - 48 - 5] = 1  # the type of the last block, the index of blocks: Snappy
    (model / INDEX).write_bytes(content)
    with pytest.raises(ModelError, match="its index of variables is compressed"):
        read(model)


def test_a_missing_shard_is_reported(tmp_path: Path) -> None:
    model = copied(tmp_path)
    shard = next(model.glob("variables/*.data-*"))
    shard.unlink()
    with pytest.raises(ModelError, match=f"{shard.name}, which is missing from its folder"):
        read(model)


@pytest.mark.convert
@pytest.mark.filterwarnings("ignore")
def test_an_export_stores_every_weight_twice_and_they_count_once(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    keras = pytest.importorskip("keras", reason="keras is not installed")
    image = keras.Input((16, 16, 3))
    features = keras.layers.Flatten()(keras.layers.Conv2D(8, 3, name="stem")(image))
    model = keras.Model(image, keras.layers.Dense(10, name="head")(features))
    model.export(tmp_path / "exported", verbose=False)
    found = read(tmp_path / "exported")
    files = [each for each in (tmp_path / "exported").rglob("*") if each.is_file()]
    assert found.totals.size == sum(each.stat().st_size for each in files)
    assert found.totals.unclaimed == 0
    assert found.totals.params == model.count_params()
    stored = sum(tensor.stored for tensor in found.tensors if tensor.role is Role.WEIGHT)
    assert stored == 2 * 4 * model.count_params()
    assert sum(group.wasted for group in repeated(found)) > 0.8 * 4 * model.count_params()
    assert {"stem/kernel", "head/bias"} <= {tensor.name for tensor in found.tensors}
