"""Pickles (`pickles/operands.py`), joblib and skops: arrays are found and nothing is executed."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.encodings.span import Span
from edgecheck.anatomy.pickles.machine import Machine
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Anatomy, Role
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy
from tests.anatomy.small_files import archive, npy, pickled, save

ARRAY = np.arange(12, dtype="<f8").reshape(3, 4)


def checked(path: Path) -> Anatomy:
    """The anatomy of a file, all of whose bytes are accounted for."""
    found = read(path)
    assert found.totals.size == path.stat().st_size
    assert found.totals.unclaimed == 0
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    return found


class Estimator:
    """What scikit-learn's estimators look like to pickle."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_are_found_in_every_protocol(protocol: int, tmp_path: Path) -> None:
    model = Estimator(coef_=ARRAY, steps=[("scale", Estimator(mean_=ARRAY[0].copy()))], classes_=np.arange(3))
    found = checked(save(tmp_path / "m.pkl", pickled(model, protocol)))
    assert {tensor.name: (tensor.dtype, tensor.shape, tensor.params) for tensor in found.tensors} == {
        "coef_": ("float64", (3, 4), 12),
        "steps.scale.1.mean_": ("float64", (4,), 4),
        "classes_": ("int64", (3,), 0),
    }


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_lie_where_the_anatomy_says(protocol: int, tmp_path: Path) -> None:
    found = checked(save(tmp_path / "m.pkl", pickled({"w": ARRAY, "v": ARRAY * 2}, protocol)))
    with Contents(found) as contents:
        read_back = [np.frombuffer(b"".join(contents.pieces(tensor)), "<f8") for tensor in found.tensors]
    assert [values.tolist() for values in read_back] == [ARRAY.ravel().tolist(), (2 * ARRAY).ravel().tolist()]


def test_other_types_of_arrays(tmp_path: Path) -> None:
    nodes = np.zeros(5, [("left", "<i8"), ("threshold", "<f8")])
    words = np.array(["ham", "spam"])
    model = {
        "big": ARRAY.astype(">f4"),
        "nodes": nodes,
        "words": words,
        "objects": np.array([ARRAY[0].copy(), None], object),
    }
    found = checked(save(tmp_path / "m.pkl", pickled(model)))
    summary = {tensor.name: (tensor.dtype, tensor.memory, tensor.role, tensor.encoding) for tensor in found.tensors}
    assert summary == {
        "big": ("float32", 48, Role.WEIGHT, "big-endian"),
        "nodes": ("record", 80, Role.WEIGHT, ""),
        "words": ("string", 32, Role.VOCABULARY, ""),
        "objects.0": ("float64", 32, Role.WEIGHT, ""),
    }


def test_the_same_array_twice_is_shared(tmp_path: Path) -> None:
    found = checked(save(tmp_path / "m.pkl", pickled({"a": ARRAY, "b": ARRAY})))
    assert [(tensor.name, tensor.shares, tensor.stored) for tensor in found.tensors] == [("a", "", 96), ("b", "a", 0)]
    assert found.totals.params == 12


def test_vocabularies_are_found(tmp_path: Path) -> None:
    words = {f"word{number}": number for number in range(1000)}
    found = checked(save(tmp_path / "m.pkl", pickled(Estimator(vocabulary_=words, short={"a": 1}))))
    (tensor,) = found.tensors
    assert (tensor.name, tensor.role, tensor.shape) == ("vocabulary_", Role.VOCABULARY, (1000,))
    assert tensor.stored > sum(map(len, words))


def test_bytes_of_another_library_are_opaque(tmp_path: Path) -> None:
    found = checked(save(tmp_path / "m.pkl", pickled(Estimator(handle=bytearray(5000)))))
    assert [(tensor.name, tensor.encoding, tensor.params) for tensor in found.tensors] == [("handle", "opaque", 0)]
    assert found.notes == ("handle is 5,000 bytes in an unknown format; its weights are not counted.",)


def test_a_pickle_of_python_objects_says_so(tmp_path: Path) -> None:
    found = checked(save(tmp_path / "m.pkl", pickled([1, 2, {"a": None}, 2**80, 1.5, "x", frozenset({1})])))
    assert found.notes[0].startswith("The pickle holds no arrays")


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch executed",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read(save(tmp_path / "m.pkl", pickled({"w": ARRAY, "evil": Evil()}, protocol)))
    assert not (tmp_path / "executed").exists()
    pickle.loads(pickled(Evil(), protocol))
    assert (tmp_path / "executed").exists()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda content: lzma.compress(content, lzma.FORMAT_ALONE),
}


@pytest.mark.parametrize("how", PACKERS)
@pytest.mark.parametrize("name", ["profanity.joblib", "profanity_vectorizer.joblib"])
def test_compressed_joblib_files_are_read_as_the_plain_ones(how: str, name: str, tmp_path: Path) -> None:
    path = save(tmp_path / name, PACKERS[how](fetch(name).read_bytes()))
    found, plain = checked(path), anatomy(name)
    assert [stream.how for stream in found.streams] == [how]
    assert [(tensor.name, tensor.shape) for tensor in found.tensors] == [
        (tensor.name, tensor.shape) for tensor in plain.tensors
    ]
    assert found.totals.memory == plain.totals.memory
    assert found.totals.tensors < plain.totals.tensors
    with Contents(found) as contents, Contents(plain) as expected:
        for tensor, other in zip(found.tensors, plain.tensors, strict=True):
            assert contents.digest(tensor) == expected.digest(other)


SCHEMA = {
    "__class__": "Pipeline",
    "content": {
        "__class__": "dict",
        "content": {
            "steps": {
                "content": [{"content": {"coef_": {"file": "1.npy"}}}, {"content": {"tied_": {"file": "1.npy"}}}]
            },
            "tree_": {"reduce": {"args": {"content": [{"file": "2.npy"}]}}},
            "matrix_": {"type": "scipy", "file": "3.npz"},
        },
    },
}


@pytest.mark.parametrize("compression", [0, 8])
def test_skops_archives(compression: int, tmp_path: Path) -> None:
    nodes = np.zeros(7, [("left", "<i8"), ("threshold", "<f8")])
    members = {"1.npy": npy(ARRAY), "2.npy": npy(nodes), "3.npz": bytes(50), "schema.json": json.dumps(SCHEMA).encode()}
    found = checked(save(tmp_path / "m.skops", archive(members, compression=compression)))
    assert {(tensor.name, tensor.dtype, tensor.shape, tensor.shares) for tensor in found.tensors} == {
        ("steps.0.coef_", "float64", (3, 4), ""),
        ("steps.1.tied_", "float64", (3, 4), "steps.0.coef_"),
        ("tree_.0", "record", (7,), ""),
        ("matrix_", "bytes", (50,), ""),
    }
    assert found.totals.params == 12 + 7


def test_a_skops_array_of_another_size_is_refused(tmp_path: Path) -> None:
    members = {"1.npy": npy(ARRAY)[:-8], "schema.json": json.dumps({"coef_": {"file": "1.npy"}}).encode()}
    with pytest.raises(ModelError, match=r"an array of shape \(3, 4\) and type float64 has 88 bytes"):
        read(save(tmp_path / "m.skops", archive(members)))


@pytest.mark.parametrize(
    "opcodes",
    [
        b"\x8c\x01aq\x020\x8c\x01bq\x000\x8c\x01cq\x010\x8c\x01dq\x020h\x02.",  # out of order, and again
        b"\x8c\x01aq\x050\x8c\x01b\x940\x8c\x01d\x940h\x02.",  # MEMOIZE counts what was put elsewhere
        b"\x8c\x01aq\x000\x8c\x01dq\x000h\x00.",
    ],
)
def test_the_memo_is_pythons(opcodes: bytes) -> None:
    assert Machine(Span(b"\x80\x04" + opcodes)).run() == pickle.loads(b"\x80\x04" + opcodes) == "d"


def test_what_an_mlp_keeps_of_its_training_is_not_a_parameter(tmp_path: Path) -> None:
    weights = [np.ones((4, 3)), np.zeros(3)]
    content = {
        "coefs_": weights,
        "_optimizer": {"params": weights, "ms": [np.zeros((4, 3))], "velocities": [np.zeros(3)]},
        "_best_coefs": [np.ones((4, 3))],
    }
    anatomy = read(save(tmp_path / "mlp.pkl", pickled(content)))
    assert anatomy.totals.params == 15
    kept = {tensor.name for tensor in anatomy.tensors if tensor.role is Role.OPTIMIZER}
    assert kept == {"_optimizer.ms.0", "_optimizer.velocities.0", "_best_coefs.0"}
