"""Small or plain files that would take a reader minutes or gigabytes; and sums over bytes that tensors share."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgecheck.anatomy.accounting.ledger import Used, divide
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from tests.anatomy import hdf5_by_hand as by_hand
from tests.anatomy.saved_models import entry, number, saved_model, table
from tests.anatomy.small_files import (
    FLOAT,
    float_tensor,
    int_opcode,
    keras_archive,
    onnx_model,
    pickled,
    safetensors,
    save,
    save_folder,
    text_opcode,
    torch_archive,
    torch_tensor,
)
from tests.anatomy.test_hostile import message, onnx_bytes, varint

HUGE_INTEGER = b"\x8b" + struct.pack("<i", 2080) + b"\x7f" * 2080  # LONG4, of 5,000 digits
#: Reads a file with at most 30 s of one core and 1 GB of addresses; prints the growth of memory in MB.
CHILD = """
import resource, sys
from pathlib import Path
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
sentence = "read"
try:
    read(Path(sys.argv[1]))
except ModelError as error:
    sentence = error.message
status = Path("/proc/self/status").read_text()  # not ru_maxrss, which begins at the parent's peak
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024, sentence)
"""


def memo_bomb() -> bytes:
    """A tuple that holds one tuple twice, which holds another twice, and so on, as the name of a module."""
    pairs = b"".join(b"h" + bytes([number]) + b"h" + bytes([number]) + b"\x86\x94" for number in range(60))
    return b"\x80\x04)\x94" + pairs + b"\x8c\x01a\x93."


def nested(depth: int) -> bytes:
    """Lists in lists, each with the same array: together their paths have depth² parts."""
    opcodes = pickled(np.zeros(3)).removeprefix(b"\x80\x04").partition(b"\x95")[2][8:-1]
    return b"\x80\x04" + opcodes + b"r\xff\xff\0\0" + b"0" + b"](j\xff\xff\0\0" * depth + b"e" * depth + b"."


def many_values() -> bytes:
    header = b'{"a":[' + b"[]," * 10_000_000 + b"[]]}"
    return struct.pack("<Q", len(header)) + header


def shared_vector(count: int, slot: int, vector: bytes) -> bytes:
    """A TFLite file of so many tensors that share one vector: the shape in slot 4, or the name in slot 10."""
    tables = struct.pack("<HHHHH", 10, 8, 0, 0, 4) + struct.pack("<HHH", 6, 8, 4)
    tables += struct.pack("<HHHHHH", 12, 12, *(4 if each == slot else 0 for each in (4, 6, 8, 10)))  # a tensor's
    head = (struct.pack("<I4s", 40, b"TFL3") + tables).ljust(40, b"\0")
    start = 64
    first = start + 4 + 4 * count
    place = first + 12 * count
    body = struct.pack("<iI", 40 - 8, 4) + struct.pack("<II", 1, 4) + struct.pack("<iI", 56 - 18, 4)
    body += struct.pack("<I", count)
    body += b"".join(struct.pack("<I", first + 12 * each - start - 4 - 4 * each) for each in range(count))
    body += b"".join(
        struct.pack("<iII", first + 12 * each - 24, place - first - 12 * each - 4, 0) for each in range(count)
    )
    return head + body + vector + bytes(4)


def shared_names(count: int, size: int) -> bytes:
    return shared_vector(count, 10, struct.pack("<I", size) + b"n" * size)


def shared_shapes(count: int, dimensions: int) -> bytes:
    return shared_vector(count, 4, struct.pack(f"<I{dimensions}i", dimensions, *[1] * dimensions))


def shared_beginnings(count: int, size: int) -> dict[str, bytes]:
    """A SavedModel so many of whose variables share the beginning of their key, which the file holds once."""
    value = entry((1,), 0, 4)
    keys = [(0, b"", number(1, 1)), (0, b"k" * size, value)]
    keys += [(size, b"%06d" % each, value) for each in range(count)]
    return saved_model() | {"variables/variables.index": table(keys)}


def many_dimensions() -> bytes:
    return onnx_bytes(message(5, message(1, varint(2**62) * 200_000) + b"\x10\x01" + message(8, b"w")))


BOMBS: dict[str, tuple[Callable[[], bytes | dict[str, bytes]], str]] = {
    "memo.pkl": (memo_bomb, "whose name is not a text"),
    "lists.pkl": (lambda: nested(20_000), "more than"),
    "name.pkl": (lambda: b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b"\x8c\x01a\x93.", "whose name is not a text"),
    "dicts.pkl": (lambda: b"\x80\x04](" + b"}" * 4_900_000 + b"e.", "more than"),
    "values.safetensors": (many_values, "has more than"),
    "names.tflite": (lambda: shared_names(2000, 1_000_000), "more than"),
    "shapes.tflite": (lambda: shared_shapes(240_000, 128), "more than"),
    "dimensions.tflite": (lambda: shared_shapes(50_000, 50_000), "more than"),
    "keys": (lambda: shared_beginnings(60_000, 300_000), "more than"),
    "itself.h5": (by_hand.continues_in_itself, "is used twice, or its tree has no end"),
    "names.h5": (lambda: by_hand.overlapping_names(3000, 1_000_000), "more than"),
    "leaf.h5": (lambda: by_hand.shared_leaf(60), "is used twice, or its tree has no end"),
    "dimensions.onnx": (many_dimensions, "more than 128 dimensions"),
    "fields.onnx": (lambda: onnx_bytes(b"\x6a\x00" * 8_000_000), "more than"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOMBS)
def test_hostile_files_end_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    build, sentence = BOMBS[name]
    path, content = tmp_path / name, build()
    if isinstance(content, dict):
        save_folder(path, content)
    else:
        save(path, content)
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    peak, _, said = done.stdout.partition(" ")
    assert sentence in said
    assert int(peak) < 340


@pytest.mark.slow
def test_a_million_words_are_read(tmp_path: Path) -> None:
    path = save(tmp_path / "words.pkl", pickled({f"word {number}": number for number in range(1_000_000)}))
    done = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False)
    peak, _, said = done.stdout.partition(" ")
    assert said == "read\n", done.stderr[-500:]
    assert int(peak) < 340


LONG_NUMBERS = {
    "key.pkl": pickled({10**5000: np.zeros(300)}),
    "shape.pkl": pickled(np.zeros(3)).replace(b"K\x03\x85", HUGE_INTEGER + b"\x85"),
    "shape.pt": torch_archive(
        {"w": torch_tensor("0", "FloatStorage", 6, (0, (2,), (1,))).replace(int_opcode(2), HUGE_INTEGER)},
        {"0": bytes(24)},
    ),
    "storage.pt": torch_archive(
        {"w": torch_tensor("0", "FloatStorage", 6, (0, (2,), (1,))).replace(text_opcode("0"), HUGE_INTEGER)},
        {"0": bytes(24)},
    ),
}


@pytest.mark.parametrize("name", LONG_NUMBERS)
def test_integers_of_thousands_of_digits_are_no_sizes_and_no_names(name: str, tmp_path: Path) -> None:
    found = read(save(tmp_path / name, LONG_NUMBERS[name]))
    assert found.totals.size == found.size


def rows(path: Path) -> int:
    """Bytes of the tensors' rows, after a check that they add up to the tensors' bytes in the files."""
    found = read(path)
    assert sum(tensor.stored for tensor in found.tensors) == found.totals.tensors
    assert found.totals.size == found.size
    return found.totals.tensors


def test_tied_weights_in_another_file_count_once(tmp_path: Path) -> None:
    tensors = []
    for name in ("a", "b"):
        tensor = TensorProto(name=name, data_type=FLOAT, dims=[100], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", "w.bin"), ("offset", "0"), ("length", "400")):
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
    save(tmp_path / "w.bin", bytes(400))
    path = save(tmp_path / "m.onnx", onnx_model([helper.make_node("Add", ["a", "b"], ["y"])], tensors))
    assert rows(path) == 400
    assert [tensor.shares for tensor in read(path).tensors] == ["", "a"]


def test_overlapping_tensors_divide_their_bytes(tmp_path: Path) -> None:
    offsets = {"a": (0, 16), "b": (8, 24), "c": (4, 12)}
    header = {
        name: {"dtype": "F32", "shape": [(stop - start) // 4], "data_offsets": [start, stop]}
        for name, (start, stop) in offsets.items()
    }
    path = save(tmp_path / "m.safetensors", safetensors(json.loads(json.dumps(header)), bytes(24)))
    assert rows(path) == 24
    assert [(tensor.stored, tensor.shares) for tensor in read(path).tensors] == [(16, ""), (8, ""), (0, "a")]


def overlapping_onnx(path: Path) -> Path:
    """Two tensors in another file, the second of which begins in the middle of the first."""
    tensors = []
    for name, offset in (("a", 0), ("b", 200)):
        tensor = TensorProto(name=name, data_type=FLOAT, dims=[100], data_location=TensorProto.EXTERNAL)
        for key, value in (("location", "w.bin"), ("offset", str(offset)), ("length", "400")):
            tensor.external_data.add(key=key, value=value)
        tensors.append(tensor)
    save(path.parent / "w.bin", bytes(600))
    return save(path, onnx_model([helper.make_node("Add", ["a", "b"], ["y"])], tensors))


def overlapping_variables(path: Path) -> Path:
    """Two variables of four numbers, the second of which begins in the middle of the first."""
    index = table([(0, b"", number(1, 1)), (0, b"a", entry((4,), 0, 16)), (0, b"b", entry((4,), 8, 16))])
    files = {"variables/variables.index": index, "variables/variables.data-00000-of-00001": bytes(24)}
    return save_folder(path, saved_model() | files)


def overlapping_views(path: Path) -> Path:
    """Two tensors of a torch archive in one storage of six numbers."""
    views = {name: torch_tensor("0", "FloatStorage", 6, (offset, (4,), (1,))) for name, offset in (("a", 0), ("b", 2))}
    return save(path, torch_archive(views, {"0": bytes(24)}))


OVERLAPS: dict[str, tuple[Callable[[Path], Path], int]] = {
    "m.onnx": (overlapping_onnx, 600),
    "m.h5": (lambda path: save(path, by_hand.overlapping()), 24),
    "m.keras": (lambda path: save(path, keras_archive(by_hand.overlapping())), 24),
    "saved": (overlapping_variables, 24 + 2 * 24),  # and a constant of the graph and of its function
    "m.pt": (overlapping_views, 24),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_overlapping_tensors_of_every_format_add_up(name: str, tmp_path: Path) -> None:
    build, size = OVERLAPS[name]
    path = build(tmp_path / name)
    assert rows(path) == size
    assert {tensor.name for tensor in read(path).tensors} >= {"a", "b"}


def test_half_a_surrogate_pair_is_no_name_of_a_file(tmp_path: Path) -> None:
    manifest = {"itemInfoEntries": {"a": {"path": "\ud800"}}, "rootModelIdentifier": "a"}
    path = save_folder(tmp_path / "m.mlpackage", {"Manifest.json": json.dumps(manifest).encode(), "Data/m": b""})
    with pytest.raises(ModelError, match="which cannot be the name of a file"):
        read(path)


def test_bytes_belong_to_the_first_user() -> None:
    divided = divide([Used(0, 10, 1), Used(5, 20, 0), Used(6, 8, 2), Used(30, 31, 2)])
    assert dict(divided.stored) == {1: 5, 0: 15, 2: 1}
    assert divided.owners == {1: 1, 0: 0, 2: 0}


def test_packed_weights_with_a_negative_size_are_taken_as_stored(tmp_path: Path) -> None:
    node = helper.make_node("MatMulNBits", ["x", "w"], ["y"], domain="com.microsoft", N=-5, K=4, bits=4)
    path = save(tmp_path / "m.onnx", onnx_model([node], [float_tensor("w", (2, 3))]))
    assert [(tensor.shape, tensor.memory) for tensor in read(path).tensors] == [((2, 3), 24)]
