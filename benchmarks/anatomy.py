"""Time and memory to read half-gigabyte models, compared with onnx's loader in the same run.

    python benchmarks/anatomy.py [--megabytes 500] [--tensors 60] [--runs 3]

Each reading is a fresh process with its own peak of resident memory, which includes pages of the mapped file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TENSORS_SIDE = 1024
LIMIT_SECONDS, LIMIT_BYTES = 0.5, 60_000_000
_CHILD = """
import json, sys, time
from pathlib import Path
path, how = Path(sys.argv[1]), sys.argv[2]
def peak():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) * 1024
{setup}
before, begin = peak(), time.perf_counter()
{work}
print(json.dumps({{"seconds": time.perf_counter() - begin, "peak": peak(), "before": before}}))
"""
_READ = _CHILD.format(
    setup="from edgecheck.anatomy.reading import read",
    work="totals = read(path).totals\nassert totals.size == path.stat().st_size",
)
_MEASURE = _CHILD.format(
    setup="from edgecheck.anatomy.reading import read\nfrom edgecheck.anatomy.measuring import measure",
    work="measure(read(path))",
)
_ONNX = _CHILD.format(setup="import onnx", work="onnx.load(str(path))")
_PASS = _CHILD.format(setup="", work="file = path.open('rb', buffering=0)\nwhile file.read(1 << 20):\n    pass")


class Figures(TypedDict):
    """What one process measured of itself."""

    seconds: float
    peak: int
    before: int


def weights(megabytes: int, tensors: int) -> Iterator[tuple[str, np.ndarray]]:
    """Random weights with this many megabytes in total, the same on every run."""
    random = np.random.default_rng(0)
    rows = megabytes * 1_000_000 // tensors // (4 * TENSORS_SIDE)
    for number in range(tensors):
        yield f"block_{number // 4}.layer_{number % 4}.weight", random.standard_normal((rows, TENSORS_SIDE), np.float32)


def write_onnx(path: Path, named: Iterator[tuple[str, np.ndarray]]) -> None:
    import onnx
    from onnx import TensorProto, helper

    tensors = [helper.make_tensor(name, TensorProto.FLOAT, list(a.shape), a.tobytes(), raw=True) for name, a in named]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    nodes = [helper.make_node("Identity", ["x"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])], tensors
    )
    onnx.save(helper.make_model(graph), str(path))


def write_safetensors(path: Path, named: Iterator[tuple[str, np.ndarray]]) -> None:
    arrays = list(named)
    header, at = {}, 0
    for name, array in arrays:
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in arrays:
            file.write(array.tobytes())


def write_tflite(path: Path, named: Iterator[tuple[str, np.ndarray]]) -> None:
    from ai_edge_litert import schema_py_generated as schema
    from flatbuffers import Builder  # type: ignore[import-untyped]

    model = schema.ModelT()
    model.version, model.operatorCodes, model.metadata, model.signatureDefs = 3, [], [], []
    graph, empty = schema.SubGraphT(), schema.BufferT()
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    model.buffers = [empty]
    for name, array in named:
        tensor, buffer = schema.TensorT(), schema.BufferT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(array.shape), 0, len(model.buffers)
        buffer.data = np.frombuffer(array.tobytes(), np.uint8)
        graph.tensors.append(tensor)
        model.buffers.append(buffer)
    model.subgraphs = [graph]
    builder = Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())


def write_torch(path: Path, named: Iterator[tuple[str, np.ndarray]]) -> None:
    """What `torch.save(state_dict)` writes, without torch: an archive of a pickle and of storages."""
    arrays = list(named)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}(" + b"".join(map(_pickled, enumerate(arrays))) + b"u.")
        archive.writestr("model/version", "3\n")
        for index, (_, array) in enumerate(arrays):
            archive.writestr(f"model/data/{index}", array.tobytes())


def _pickled(item: tuple[int, tuple[str, np.ndarray]]) -> bytes:
    """The opcodes of one entry: a name, and a call of `_rebuild_tensor_v2` on a persistent storage."""
    index, (name, array) = item
    rows, columns = array.shape
    storage = (
        b"("
        + _text("storage")
        + b"ctorch\nFloatStorage\n"
        + _text(str(index))
        + _text("cpu")
        + _int(array.size)
        + b"tQ"
    )
    sizes = b"(" + _int(rows) + _int(columns) + b"t(" + _int(columns) + _int(1) + b"t"
    return _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + _int(0) + sizes + b"\x89}tR"


def _text(text: str) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text.encode()


def _int(number: int) -> bytes:
    return b"J" + number.to_bytes(4, "little")


WRITERS: dict[str, Callable[[Path, Iterator[tuple[str, np.ndarray]]], None]] = {
    "model.onnx": write_onnx,
    "model.safetensors": write_safetensors,
    "model.tflite": write_tflite,
    "model.pt": write_torch,
}


def figures(code: str, path: Path, runs: int) -> Figures:
    """The median time and the highest peak of this many fresh processes."""
    found: list[Figures] = []
    for _ in range(runs):
        done = subprocess.run([sys.executable, "-c", code, str(path), ""], check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return Figures(
        seconds=median(each["seconds"] for each in found),
        peak=max(each["peak"] for each in found),
        before=max(each["before"] for each in found),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--tensors", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            path = Path(folder) / name
            write(path, weights(options.megabytes, options.tensors))
            failed += _report(name, path, options.runs)
            path.unlink()
    return 1 if failed else 0


def _report(name: str, path: Path, runs: int) -> bool:
    """Print what was measured for one file; whether a limit does not hold."""
    read, measured, one_pass = (figures(code, path, runs) for code in (_READ, _MEASURE, _PASS))
    print(f"{name}: {path.stat().st_size / 1e6:.0f} MB")
    _line("read", read, "limits 0.5 s and 60 MB")
    _line("read and measure", measured, f"one plain pass over the file: {one_pass['seconds']:.2f} s")
    if path.suffix == ".onnx":
        _line("onnx.load", figures(_ONNX, path, runs), "for comparison")
    return read["seconds"] > LIMIT_SECONDS or read["peak"] > LIMIT_BYTES


def _line(what: str, found: Figures, remark: str) -> None:
    print(f"  {what:18} {found['seconds']:8.3f} s   peak {found['peak'] / 1e6:6.1f} MB   ({remark})")


if __name__ == "__main__":
    sys.exit(main())
