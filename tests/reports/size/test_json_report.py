"""The anatomy as JSON, by its schema."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edgecheck.anatomy.advice import Means
from edgecheck.anatomy.formats import ModelFormat
from edgecheck.anatomy.tables import By
from examples.real_models import fetch
from tests.anatomy.real_anatomies import bytes_on_disk
from tests.cli.command import edgecheck
from tests.reports.size.models import hostile, plain

SCHEMA = json.loads((resources.files("edgecheck.reports") / "size-1.schema.json").read_text(encoding="utf-8"))


def size(path: Path, *arguments: str, cwd: Path) -> dict[str, Any]:
    done = edgecheck("size", path, *arguments, "--format", "json", cwd=cwd)
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    Draft202012Validator(SCHEMA).validate(found)
    return found


@pytest.mark.parametrize("model", ["mtcnn_onet.onnx", "nmp_saved_model", "hey_jarvis.tflite", "profanity.joblib"])
def test_totals_rows_and_files_sum_to_the_size(model: str, tmp_path: Path) -> None:
    found, bytes_there = size(fetch(model), cwd=tmp_path), bytes_on_disk(fetch(model))
    totals = found["totals"]
    assert {"tensors", "structure", "metadata", "padding", "params"} <= set(totals)
    kinds = ("tensors", "structure", "metadata", "padding", "unclaimed")
    assert sum(totals[kind] for kind in kinds) == bytes_there
    assert sum(row["stored"] for row in found["rows"]) == bytes_there
    assert sum(part["size"] for file in found["files"] for part in file["parts"]) == bytes_there
    assert sum(tensor["params"] for tensor in found["tensors"]) == totals["params"]


def test_zeros_are_counted_where_weights_are_read(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.onnx")
    zeros = {row["name"]: row["zeros"] for row in size(path, cwd=tmp_path)["rows"]}
    assert zeros["decoder/dense"] == 0.5
    assert zeros["encoder/dense"] == 0.0
    assert zeros["(nodes)"] is None
    assert {row["zeros"] for row in size(path, "--quick", cwd=tmp_path)["rows"]} == {None}


def test_hostile_names_are_complete(tmp_path: Path) -> None:
    names = {tensor["name"] for tensor in size(hostile(tmp_path / "net.onnx"), cwd=tmp_path)["tensors"]}
    assert {"a" * 5000, "\x1b[2J\x07\x9b31m"} <= names


def test_halves_of_surrogate_pairs_are_replaced(tmp_path: Path) -> None:
    header = b'{"\\ud800":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    path = tmp_path / "net.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    assert [tensor["name"] for tensor in size(path, cwd=tmp_path)["tensors"]] == ["?"]
    done = edgecheck("size", path, "--by", "tensor", cwd=tmp_path)
    assert done.code == 0, done.err
    assert "\N{REPLACEMENT CHARACTER}" in done.out


def test_the_schema_knows_every_word_of_the_anatomy() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["advice"]["properties"]["means"]["enum"] == [each.value for each in Means]
    assert set(SCHEMA["$defs"]["format"]["enum"]) == {each.value for each in ModelFormat}
    assert set(SCHEMA["properties"]["by"]["enum"]) == {each.value for each in By}


def test_files_are_written_besides_the_table(tmp_path: Path) -> None:
    path = plain(tmp_path / "net.onnx")
    arguments = ("--format", "terminal", "--format", "json=a.json", "--format", "markdown=b.md")
    done = edgecheck("size", path, *arguments, cwd=tmp_path)
    assert done.out.startswith("net.onnx · onnx")
    Draft202012Validator(SCHEMA).validate(json.loads((tmp_path / "a.json").read_text(encoding="utf-8")))
    assert (tmp_path / "b.md").read_text(encoding="utf-8").startswith("<!-- edgecheck size -->\n### net.onnx")
