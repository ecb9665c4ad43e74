"""What TFLite files may have besides tables: associated files, buffers behind the flatbuffer or in other files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder  # type: ignore[import-untyped]

from edgecheck.anatomy.contents import Contents
from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import anatomy
from tests.anatomy.small_files import archive, save

VALUES = np.arange(64, dtype=np.float32)


def model(tensors: dict[str, int], buffers: list[np.ndarray | None]) -> schema.ModelT:
    """A model without operators: tensors by name, each with its buffer."""
    made = schema.ModelT()
    made.version, made.operatorCodes, made.metadata, made.signatureDefs = 3, [], [], []
    graph = schema.SubGraphT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    for name, number in tensors.items():
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [4, 16], 0, number
        graph.tensors.append(tensor)
    made.subgraphs, made.buffers = [graph], []
    for data in buffers:
        buffer = schema.BufferT()
        buffer.data = None if data is None else np.frombuffer(data.tobytes(), np.uint8)
        made.buffers.append(buffer)
    return made


def packed(made: schema.ModelT) -> bytes:
    builder = Builder(1024)
    builder.Finish(made.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_tensors_may_share_a_buffer(tmp_path: Path) -> None:
    found = read(save(tmp_path / "m.tflite", packed(model({"a": 1, "b": 1}, [None, VALUES]))))
    assert [(tensor.name, tensor.stored, tensor.shares) for tensor in found.tensors] == [("a", 256, ""), ("b", 0, "a")]
    assert found.totals.params == 64
    assert found.totals.unclaimed == 0


def test_an_unused_buffer_is_reported(tmp_path: Path) -> None:
    found = read(save(tmp_path / "m.tflite", packed(model({"a": 1}, [None, VALUES, VALUES[:10]]))))
    assert found.notes == ("Buffer 2 holds 40 bytes that no tensor uses.",)
    assert found.totals.size == found.size
    assert found.totals.unclaimed == 0


def test_associated_files_are_metadata(tmp_path: Path) -> None:
    content = fetch("nmp.tflite").read_bytes()
    labels = archive({"labels.txt": b"a\nb\n" * 100})
    found = read(save(tmp_path / "m.tflite", content + labels))
    assert found.totals.metadata == anatomy("nmp.tflite").totals.metadata + len(labels)
    assert found.totals.unclaimed == 0


def test_buffers_behind_the_flatbuffer_are_found(tmp_path: Path) -> None:
    made = model({"a": 1}, [None, None])
    made.buffers[1].offset, made.buffers[1].size = 2**20, VALUES.nbytes
    size = -(-len(packed(made)) // 16) * 16
    made.buffers[1].offset = size
    content = packed(made).ljust(size, b"\0") + VALUES.tobytes()
    found = read(save(tmp_path / "m.tflite", content))
    assert found.totals.tensors == VALUES.nbytes
    assert found.totals.unclaimed == 0
    with Contents(found) as contents:
        assert b"".join(contents.pieces(found.tensors[0])) == VALUES.tobytes()
    with pytest.raises(ModelError, match="is damaged: 256 bytes at byte"):
        read(save(tmp_path / "cut.tflite", content[:-1]))


def test_buffers_in_another_file_are_found(tmp_path: Path) -> None:
    made = model({"a": 0}, [None])
    group, external = schema.ExternalBufferGroupT(), schema.ExternalBufferT()
    group.name = "weights.bin"
    external.id, external.group, external.offset, external.length = 7, 0, 16, VALUES.nbytes
    made.externalBufferGroups, made.externalBuffers = [group], [external]
    made.subgraphs[0].tensors[0].externalBuffer = 7
    save(tmp_path / "weights.bin", bytes(16) + VALUES.tobytes())
    found = read(save(tmp_path / "m.tflite", packed(made)))
    assert [(file.name, file.size) for file in found.files][1] == ("weights.bin", 272)
    assert (found.tensors[0].stored, found.tensors[0].role) == (256, Role.WEIGHT)
    made.subgraphs[0].tensors[0].externalBuffer = 8
    with pytest.raises(ModelError, match="has the external buffer 8, which is missing"):
        read(save(tmp_path / "m.tflite", packed(made)))


def test_a_tensor_whose_buffer_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="tensor 'a' has the buffer 9, of 2"):
        read(save(tmp_path / "m.tflite", packed(model({"a": 9}, [None, VALUES]))))
