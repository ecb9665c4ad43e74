"""Small model files written byte by byte, so that a test knows exactly what is in them."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

FLOAT = TensorProto.FLOAT


def safetensors(header: Mapping[str, object], data: bytes, padding: int = 0) -> bytes:
    """A `.safetensors` file with this header, filled with spaces."""
    text = json.dumps(header).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + data


def archive(members: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive with these members, in this order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as opened:
        for name, content in members.items():
            opened.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


def text_opcode(text: str) -> bytes:
    """BINUNICODE."""
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def int_opcode(number: int) -> bytes:
    """BININT."""
    return b"J" + struct.pack("<i", number)


def torch_tensor(storage: str, kind: str, count: int, view: tuple[int, tuple[int, ...], tuple[int, ...]]) -> bytes:
    """The opcodes with which torch pickles a tensor: `view` is offset, shape and strides."""
    offset, shape, strides = view
    kept = b"(" + text_opcode("storage") + f"ctorch\n{kind}\n".encode() + text_opcode(storage) + text_opcode("cpu")
    sizes, steps = (b"(" + b"".join(map(int_opcode, each)) + b"t" for each in (shape, strides))
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n(" + kept + int_opcode(count) + b"tQ" + int_opcode(offset)
        + sizes + steps + b"\x89}tR"
    )  # fmt: skip


def torch_pickle(named: Mapping[str, bytes]) -> bytes:
    """A pickled dict of the results of `torch_tensor`."""
    return b"\x80\x02}(" + b"".join(text_opcode(name) + tensor for name, tensor in named.items()) + b"u."


def torch_archive(named: Mapping[str, bytes], storages: Mapping[str, bytes]) -> bytes:
    """A state dict as torch has saved it since 1.6."""
    members = {"net/data.pkl": torch_pickle(named), "net/version": b"3\n"}
    return archive(members | {f"net/data/{key}": content for key, content in storages.items()})


def keras_archive(weights: bytes, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A `.keras` file around HDF5 weights."""
    members = {"metadata.json": b"{}", "config.json": b'{"class_name": "Sequential"}', "model.weights.h5": weights}
    return archive(members, compression=compression)


def npy(array: np.ndarray) -> bytes:
    """A `.npy` file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def onnx_model(
    nodes: list[onnx.NodeProto], initializers: list[onnx.TensorProto], **graph: list[onnx.SparseTensorProto]
) -> onnx.ModelProto:
    """A model from x to y, whose graph is not checked."""
    ports = [helper.make_tensor_value_info(name, FLOAT, ["N", 4]) for name in ("x", "y")]
    made = helper.make_graph(nodes, "g", ports[:1], ports[1:], initializers, **graph)
    return helper.make_model(made, producer_name="tests")


def float_tensor(name: str, shape: tuple[int, ...], seed: int = 0) -> onnx.TensorProto:
    """Random floats as raw data."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return helper.make_tensor(name, FLOAT, list(shape), values.tobytes(), raw=True)


def dense_model(layers: Mapping[str, tuple[int, int]], seed: int = 0) -> onnx.ModelProto:
    """A stack of MatMul nodes with random weights, one for each name."""
    nodes, weights = [], []
    for number, (name, shape) in enumerate(layers.items()):
        weights.append(float_tensor(f"{name}.weight", shape, seed + number))
        nodes.append(
            helper.make_node("MatMul", [f"h{number}" if number else "x", f"{name}.weight"], [f"h{number + 1}"])
        )
    return onnx_model(nodes, weights)


def save(path: Path, content: bytes | onnx.ModelProto) -> Path:
    """Write a file; returns its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    return path


def save_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write the files of a folder, by their paths in it."""
    for name, content in files.items():
        place = path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return path


def pickled(value: object, protocol: int = 4) -> bytes:
    """A pickle."""
    return pickle.dumps(value, protocol)
