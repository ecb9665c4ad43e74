"""`.tflite` to `.tflite` by ai-edge-quantizer: every variant, and the traps of files and of calibration.

Covers `quantised.py`, `pruned.py` and `sources/tflite_*.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe

from edgecheck.anatomy.reading import read
from edgecheck.anatomy.values import Role
from edgecheck.converters.interface import VARIANTS
from edgecheck.converters.model_files import gzipped
from edgecheck.errors import ConversionError
from examples.real_models import fetch

if TYPE_CHECKING:
    from tests.converters.bench import Bench

#: By variant of face_landmark: share of the float32 file's size, least agreement.
LANDMARK = {
    "float32": (1.0, 1.0),
    "float16": (0.52, 0.99999),
    "int8-weights": (0.30, 0.999),
    "int8-dynamic": (0.30, 0.999),
}
LANDMARK["int8"] = (0.33, 0.99)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_a_trained_network(bench: Bench, variant: str) -> None:
    model = fetch("face_landmark.tflite")
    share, least = LANDMARK[variant]
    made, agreement = bench.make(model, "tflite", variant), bench.agreement(model, "tflite", variant)
    assert made.size <= share * model.stat().st_size
    assert agreement.cosine >= least
    assert agreement.failure == ""
    detail = Interpreter(model_path=str(made.path)).get_input_details()[0]
    assert detail["dtype"] == np.float32


@pytest.mark.parametrize("variant", VARIANTS)
def test_pruning_shrinks_only_the_download(bench: Bench, variant: str) -> None:
    model = fetch("face_landmark.tflite")
    plain, made = bench.make(model, "tflite", variant), bench.make(model, "tflite", variant, prune=0.5)
    assert abs(made.size - plain.size) < 200
    assert gzipped(Path(made.path)) < 0.8 * gzipped(Path(plain.path))


def test_tensors_of_one_name_are_told_apart(bench: Bench, tmp_path: Path) -> None:
    """ai-edge-quantizer refuses them; the ports keep their names."""
    from edgecheck.converters.sources import tflite_file

    content = tflite_file.parsed(fetch("face_landmark.tflite").read_bytes())
    graph = content.subgraphs[0]
    ports = {*map(int, graph.inputs), *map(int, graph.outputs)}
    for at, tensor in enumerate(graph.tensors):
        tensor.name = tensor.name if at in ports else b"arg0"
    path = tmp_path / "alike.tflite"
    tflite_file.save(content, path)
    assert bench.make(path, "tflite", "int8-weights").size < 0.3 * path.stat().st_size
    assert bench.agreement(path, "tflite", "int8-weights").agreement > 0.99


def test_old_files_are_brought_to_the_current_encoding(bench: Bench, tmp_path: Path) -> None:
    """Otherwise, ai-edge-quantizer takes every operator for ADD and returns the file unchanged."""
    model = fetch("face_landmark.tflite")
    theirs = quantizer.Quantizer(str(model), recipe.weight_only_wi8_afp32()).quantize()
    unchanged = tmp_path / "unchanged.tflite"
    unchanged.write_bytes(bytes(theirs.quantized_model))
    assert unchanged.stat().st_size >= model.stat().st_size
    assert weight_types(unchanged) == {"float32"}
    assert "int8" in weight_types(Path(bench.make(model, "tflite", "int8-weights").path))


@pytest.mark.filterwarnings("ignore:.*preserve_all_tensors")
def test_the_quantisers_own_calibration_clips_and_is_not_used(bench: Bench, tmp_path: Path) -> None:
    """With samples that grow, a moving average of their ranges is too narrow for the last ones."""
    model = fetch("iris_landmark.tflite")
    scale = np.linspace(0.2, 1.0, 16, dtype=np.float32).reshape(-1, 1, 1, 1)
    pictures = np.random.default_rng(0).random((16, 64, 64, 3), dtype=np.float32) * scale
    np.savez(tmp_path / "s.npz", input_1=pictures)
    prepared = Path(bench.make(model, "tflite", "float32", prune=0.001).path)
    signature = tmp_path / "signed.tflite"
    sign(prepared, signature)
    theirs = quantizer.Quantizer(str(signature), recipe.static_wi8_ai8())
    ranges = theirs.calibrate({"serving_default": [{"input_1": each[None]} for each in pictures]})
    clipped = tmp_path / "clipped.tflite"
    clipped.write_bytes(bytes(theirs.quantize(ranges).quantized_model))
    ours = bench.agreement(model, "tflite", "int8", samples=tmp_path / "s.npz")
    assert ours.relative_error < 0.06
    assert worst_error(model, clipped, pictures) > 2 * ours.relative_error


def test_float16_files_are_the_float16_variant_and_can_be_quantised(bench: Bench) -> None:
    model = fetch("face_detection_short_range.tflite")
    assert bench.make(model, "tflite", "float16").route == "as it is"
    for variant in ("int8-weights", "int8-dynamic", "int8"):
        made = bench.make(model, "tflite", variant)
        assert made.size < 0.85 * model.stat().st_size, variant
        assert "float16" not in weight_types(Path(made.path)), variant
        assert bench.agreement(model, "tflite", variant).cosine > 0.95, variant
    with pytest.raises(ConversionError, match="float32 cannot be recovered"):
        bench.make(model, "tflite", "float32")


def test_writing_a_file_that_no_runtime_opens_is_a_failure(bench: Bench) -> None:
    with pytest.raises(ConversionError, match="it wrote a file that LiteRT does not open"):
        bench.make(fetch("face_detection_full_range_sparse.tflite"), "tflite", "int8")
    assert bench.make(fetch("face_detection_full_range_sparse.tflite"), "tflite", "int8-weights").size > 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", ["hey_jarvis.tflite", "emotion_quantized.tflite"])
def test_a_quantised_model_is_not_converted_again(bench: Bench, name: str, variant: str) -> None:
    """`emotion_quantized` still holds some float32 weights; converted to float16, it returned nonsense."""
    with pytest.raises(ConversionError) as caught:
        bench.make(fetch(name), "tflite", variant)
    assert caught.value.hint


def test_three_outputs_keep_their_names(bench: Bench, tmp_path: Path) -> None:
    agreement = bench.agreement(fetch("nmp.tflite"), "tflite", "float16", samples=quiet_sounds(tmp_path))
    assert agreement.cosine > 0.99
    assert agreement.top1 is None


def test_a_stateful_model_agrees_with_itself(bench: Bench) -> None:
    """Unless it is reset, it returns something else for the same input at each call."""
    agreement = bench.agreement(fetch("hey_jarvis.tflite"), "tflite", "as-is")
    assert agreement.cosine == 1.0


def quiet_sounds(folder: Path) -> Path:
    """Two samples: the network takes half a second for each."""
    sounds = np.random.default_rng(0).normal(0, 0.1, (2, 43844, 1)).astype(np.float32)
    np.savez(folder / "sounds.npz", input_2=sounds)
    return folder / "sounds.npz"


def weight_types(path: Path) -> set[str]:
    return {tensor.dtype for tensor in read(path).tensors if tensor.role is Role.WEIGHT and len(tensor.shape) > 1}


@pytest.mark.parametrize("variant", ["float16", "int8-weights", "int8-dynamic", "int8"])
def test_a_current_file_is_quantised_directly(bench: Bench, tmp_path: Path, variant: str) -> None:
    """With the same weights as a copy that was opened and written again; the file is not changed."""
    from edgecheck.converters.sources import tflite_file

    model, again = fetch("nmp.tflite"), tmp_path / "again.tflite"
    assert tflite_file.is_current(model)
    content = model.read_bytes()
    sign(model, again)
    assert again.read_bytes() != content
    samples = quiet_sounds(tmp_path)
    made, other = (Path(bench.make(each, "tflite", variant, samples=samples).path) for each in (model, again))
    assert model.read_bytes() == content
    kept, same = (
        [(each.name, each.dtype, each.shape, each.stored) for each in read(each).tensors] for each in (made, other)
    )
    assert kept == same


@pytest.mark.parametrize(
    "name", ["face_landmark.tflite", "iris_landmark.tflite", "face_detection_back.tflite", "emotion_quantized.tflite"]
)
def test_an_older_or_coarser_file_is_rewritten_first(name: str) -> None:
    from edgecheck.converters.sources import tflite_file

    assert not tflite_file.is_current(fetch(name))


def sign(source: Path, target: Path) -> None:
    """Write a copy with a signature, without which ai-edge-quantizer cannot calibrate."""
    from edgecheck.converters.sources import tflite_file

    model = tflite_file.load(source)
    tflite_file.add_signature(model)
    tflite_file.save(model, target)


def worst_error(reference: Path, quantised: Path, pictures: np.ndarray) -> float:
    """Of the worst output: the largest difference over all samples, relative to the largest magnitude."""
    errors = []
    for one, two in zip(outputs(reference, pictures), outputs(quantised, pictures), strict=True):
        errors.append(float(np.abs(one - two).max() / np.abs(one).max()))
    return max(errors)


def outputs(path: Path, pictures: np.ndarray) -> list[np.ndarray]:
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]
    found: list[list[np.ndarray]] = [[] for _ in interpreter.get_output_details()]
    for picture in pictures:
        value = picture[None]
        if given["quantization"][0]:
            value = np.clip(np.rint(value / given["quantization"][0]) + given["quantization"][1], -128, 127)
        interpreter.set_tensor(given["index"], value.astype(given["dtype"]))
        interpreter.invoke()
        for place, one in enumerate(sorted(interpreter.get_output_details(), key=lambda each: each["shape"][-1])):
            scale, zero = one["quantization"]
            raw = interpreter.get_tensor(one["index"])
            found[place].append((raw.astype(np.float32) - zero) * scale if scale else raw)
    return [np.stack(each) for each in found]


def test_weights_after_the_schemas_part_are_found(bench: Bench, tmp_path: Path) -> None:
    """TensorFlow's converter puts them there in larger models; the schema's objects then hold none."""
    inside = fetch("iris_landmark.tflite")
    moved = tmp_path / "moved.tflite"
    move_weights_behind(inside, moved)
    made = bench.make(moved, "tflite", "int8-weights")
    assert made.size < 0.4 * inside.stat().st_size
    agreement = bench.agreement(moved, "tflite", "int8-weights")
    assert agreement.cosine > 0.999
    assert bench.agreement(inside, "tflite", "int8-weights").cosine == agreement.cosine


def move_weights_behind(source: Path, target: Path) -> None:
    """Write a copy whose larger buffers are after the flatbuffer, as offsets from the file's start."""
    from edgecheck.converters.sources import tflite_file

    model = tflite_file.parsed(source.read_bytes())
    moved = [each for each in model.buffers if each.data is not None and len(each.data) > 1024]
    contents = [bytes(each.data) for each in moved]
    for buffer, content in zip(moved, contents, strict=True):
        buffer.data, buffer.offset, buffer.size = None, 2, len(content)
    tflite_file.save(model, target)
    position = -(-target.stat().st_size // 16) * 16
    for buffer, content in zip(moved, contents, strict=True):
        buffer.offset = position
        position += -(-len(content) // 16) * 16
    tflite_file.save(model, target)
    with target.open("ab") as file:
        for buffer, content in zip(moved, contents, strict=True):
            file.write(bytes(buffer.offset - file.tell()) + content)
