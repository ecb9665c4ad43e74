"""Damaged and hostile files: a clear sentence, in bounded time and memory."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
from examples.real_models import fetch
from tests.anatomy.real_anatomies import NAMES
from tests.anatomy.small_files import archive, keras_archive, pickled, safetensors, save, torch_archive, torch_tensor

HUGE = 2**60
SMALL = [name for name in NAMES if fetch(name).is_file() and fetch(name).stat().st_size < 2_000_000]


def refused(path: Path) -> str:
    """The sentence with which a file is refused; it always has a hint."""
    with pytest.raises(ModelError) as caught:
        read(path)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    assert str(path) in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("name", SMALL)
def test_cut_files_are_refused_or_what_is_left_is_accounted_for(name: str, tmp_path: Path) -> None:
    content = fetch(name).read_bytes()
    refusals = 0
    for share in (0.02, 0.3, 0.6, 0.95, 0.999):
        path = save(tmp_path / "cut", content[: int(len(content) * share)])
        try:
            found = read(path)
        except ModelError:
            refusals += 1
            continue
        assert found.totals.size == path.stat().st_size
    assert refusals > 0


@pytest.mark.parametrize("name", ["nmp_saved_model", "nmp.mlpackage"])
def test_folders_with_a_cut_file_are_refused(name: str, tmp_path: Path) -> None:
    files = sorted(path for path in fetch(name).rglob("*") if path.is_file())
    assert len(files) > 1
    for number, file in enumerate(files):
        folder = tmp_path / str(number)
        shutil.copytree(fetch(name), folder)
        cut = folder / file.relative_to(fetch(name))
        cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        refused(folder)


def varint(number: int) -> bytes:
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def onnx_bytes(graph: bytes) -> bytes:
    return b"\x08\x08" + message(7, graph) + message(8, b"\x10\x11")


H5 = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00" + struct.pack("<QQQQI", 0, 2**64 - 1, 4096, 48, 0)
CLAIMS = {
    "safetensors header": b"\0\0\0\0\0\0\0\x10" + b'{"a":' + bytes(50),
    "safetensors shape": safetensors({"a": {"dtype": "F32", "shape": [HUGE], "data_offsets": [0, 4 * HUGE]}}, b""),
    "TFLite vector": struct.pack("<I4sHHHHiII", 16, b"TFL3", 8, 8, 0, 4, 8, 4, 0xFFFFFFFF),
    "ONNX tensor": onnx_bytes(message(5, b"\x4a" + varint(HUGE))),
    "pickle string": b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b".",
    "pickle integer": b"\x80\x02]\x8b" + struct.pack("<I", 2**31) + b".",
    "pickle array": pickled(np.zeros(3)).replace(b"K\x03", b"\x8a\x08" + struct.pack("<q", HUGE)),
    "zip directory": archive({"a/data.pkl": b"N."})[:-12] + struct.pack("<HIIH", 0xFFFF, 2**31, 2**31, 0)[:12],
    "HDF5 header": H5 + b"OHDR\x02\x03" + struct.pack("<Q", 2**64 - 16) + bytes(4096 - 62),
    "HDF5 header below": H5 + b"OHDR\x02\x03" + struct.pack("<Q", HUGE) + bytes(4096 - 62),
    "torch storage": torch_archive(
        {"w": torch_tensor("0", "FloatStorage", 1, (0, (2**30, 2**30), (2**30, 1)))}, {"0": bytes(4)}
    ),
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_claims_2_to_the_60_is_refused(claim: str, tmp_path: Path) -> None:
    assert "is damaged" in refused(save(tmp_path / "m", CLAIMS[claim]))


def test_branches_in_branches_have_an_end(tmp_path: Path) -> None:
    graph = b""
    for _ in range(3000):
        graph = message(1, message(5, message(6, graph)))
    assert "its branches are nested more than 64 deep" in refused(save(tmp_path / "m.onnx", onnx_bytes(graph)))


def test_pickles_that_contain_themselves_are_read(tmp_path: Path) -> None:
    cyclic: list[object] = [np.zeros(3)]
    cyclic.append(cyclic)
    cyclic.append({"again": cyclic})
    assert read(save(tmp_path / "m.pkl", pickled(cyclic))).totals.params == 3


def test_pickles_that_grow_exponentially_are_read(tmp_path: Path) -> None:
    laughs: list[object] = [np.zeros(3)]
    for _ in range(200):
        laughs = [laughs, laughs]
    assert read(save(tmp_path / "m.pkl", pickled(laughs))).totals.params == 3


def test_tables_that_all_point_to_one_are_refused(tmp_path: Path) -> None:
    """A subgraph that the model has 20,000 times, each with the same 20,000 tensors: 400 million visits."""
    count = 20_000
    vtable = struct.pack("<HHHHH", 10, 8, 0, 0, 4)  # the model's: subgraphs at 4
    graph_vtable = struct.pack("<HHH", 6, 8, 4)  # a subgraph's: tensors at 4
    tensor_vtable = struct.pack("<HH", 4, 4)
    head = struct.pack("<I4s", 32, b"TFL3") + vtable + graph_vtable + tensor_vtable + bytes(4)
    model, graph = 32, 40 + 4 + 4 * count
    tensors, tensor = graph + 8, graph + 8 + 4 + 4 * count
    body = struct.pack("<iI", model - 8, 4)
    body += struct.pack("<I", count) + b"".join(struct.pack("<I", graph - (44 + 4 * number)) for number in range(count))
    body += struct.pack("<iI", graph - 18, 4)
    body += struct.pack("<I", count)
    body += b"".join(struct.pack("<I", tensor - (tensors + 4 + 4 * number)) for number in range(count))
    body += struct.pack("<i", tensor - 24)
    sentence = refused(save(tmp_path / "m.tflite", head + body))
    assert "its tables are referenced more often than a file of this size has room for" in sentence


def test_a_tree_that_leads_back_to_itself_has_an_end(tmp_path: Path) -> None:
    content = bytearray(fetch("emotion.hdf5").read_bytes())
    at = content.index(b"TREE")
    content[at + 5] = 1  # its children are trees, and the first of them is itself
    content[at + 32 : at + 40] = at.to_bytes(8, "little")
    assert "has no end" in refused(save(tmp_path / "m.h5", bytes(content)))


def bomb(mebibytes: int, *, wbits: int) -> bytes:
    """A compressed stream of so much of nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    first = packer.compress(b"N" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"N" * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (mebibytes - 1) + packer.flush()


def test_a_bomb_in_a_stream_is_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj(9)
    head = packer.compress(b"\x80\x04(") + packer.flush(zlib.Z_FULL_FLUSH)
    path = save(tmp_path / "m.joblib", head + bomb(1024, wbits=-15))
    assert path.stat().st_size < 2_000_000
    assert "compressed bytes unpack to more than 268,435,456" in refused(path)


def test_a_bomb_in_an_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(keras_archive(bomb(1024, wbits=-15)))
    content[content.rfind(b"PK\x01\x02") + 10] = 8  # the last member is deflated, says the directory
    path = save(tmp_path / "m.keras", bytes(content))
    assert path.stat().st_size < 2_000_000
    assert "compressed bytes unpack to more than 268,435,456" in refused(path)


PEAK = """
import sys
from pathlib import Path
from edgecheck.anatomy.reading import read
from edgecheck.errors import ModelError
try:
    read(Path(sys.argv[1]))
except ModelError as error:
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024, error.message)
"""


def test_a_million_layers_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    tensor = b"\x08\x01\x10\x01" + message(8, b"layer") + message(9, bytes(4))
    path = save(tmp_path / "m.onnx", onnx_bytes(message(5, tensor) * 1_000_000))
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], check=True, capture_output=True, text=True)
    peak, _, sentence = done.stdout.partition(" ")
    assert "take more than 268,435,456 bytes of memory" in sentence
    assert int(peak) < 400


#: What fuzzing found, in the fewest bytes; "HDF5 header" above is another.
REGRESSIONS = {
    "a shape with a truth value": b"\x80\x04}\x8c\x01wcnumpy._core.multiarray\n_reconstruct\n"
    b"(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01\x88\x85cnumpy\ndtype\nX\x02\x00\x00\x00f8\x85R\x89C\x08\0\0\0\0\0\0\0\0tbs.",
}


@pytest.mark.parametrize("case", REGRESSIONS)
def test_what_fuzzing_found(case: str, tmp_path: Path) -> None:
    path = save(tmp_path / "m", REGRESSIONS[case])
    assert read(path).totals.size == path.stat().st_size
