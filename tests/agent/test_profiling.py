"""The profiling pass: real profiles of both runtimes, and what can be wrong with one.

Covers `onnx_profile.py` and `litert_profile.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edgecheck_agent import litert_profile, onnx_profile, profiling, refusals
from examples.real_models import fetch
from tests.agent.agent_runs import QUICK, AgentRun, job, run
from tests.agent.small_models import model, save, two_signatures, value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FLOAT, BOOL, INT64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64
SHORT = {"min_s": 0, "max_s": 0.2, "max_count": 20}

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="mounts a small disk, which takes root")


def operators(found: AgentRun) -> list[dict[str, Any]]:
    """All operators of the last process; each has as many figures as there were inferences."""
    last = found.of("profile")[-1]
    rows = [row for event in found.of("operators", process=last["process"]) for row in event["operators"]]
    assert len(rows) == last["count"]
    assert {len(row["values_us"]) for row in rows} <= {len(last["values_us"])}
    return rows


def test_onnx_every_node_with_its_provider_after_the_timed_pass() -> None:
    found = run(job(fetch("mtcnn_onet.onnx"), latency=QUICK, profile=SHORT))
    assert found.purposes == ["latency", "profile"]
    assert found.ending == ("completed", "exit", None)
    rows = operators(found)
    assert {row["provider"] for row in rows} == {"CPUExecutionProvider"}
    assert [row["type"] for row in rows].count("Conv") == 4
    conv = next(row for row in rows if row["type"] == "Conv")
    assert conv["inputs"][1] == ["float", [32, 3, 3, 3]]
    assert conv["outputs"] == [["float", [1, 32, 46, 46]]]
    whole = found.of("profile")[0]["values_us"]
    for at, total in enumerate(whole):
        assert sum(row["values_us"][at] for row in rows) <= total
    assert len({(row["place"], row["name"]) for row in rows}) == len(rows)


def test_tflite_with_the_delegates_operators() -> None:
    found = run(job(fetch("face_detection_short_range.tflite"), profile=dict(SHORT, processes=2)))
    assert found.purposes == ["profile", "profile"]
    assert len(found.of("profile")) == 2
    rows = operators(found)
    assert {row["provider"] for row in rows} == {"XNNPACK"}
    assert sum(row["type"].startswith("Convolution") for row in rows) >= 16
    assert max(rows, key=lambda row: median(row["values_us"]))["type"] == "Convolution (NHWC, F32) IGEMM"


def test_tflite_with_subgraphs_and_several_partitions() -> None:
    found = run(job(fetch("okay_nabu.tflite"), profile=SHORT))
    rows = operators(found)
    assert {"XNNPACK", "built-in"} == {row["provider"] for row in rows}
    assert [row["type"] for row in rows].count("CALL_ONCE") == 1
    assert sum(row["type"] == "SPLIT_V" for row in rows) > 1


def branches(path: Path, bound: float) -> Path:
    """Three products in one branch of an If, which is taken if the largest input exceeds `bound`; the other is Abs."""

    def graph(name: str, nodes: list[Any]) -> Any:
        return helper.make_graph(nodes, name, [], [value(f"{name}_y", FLOAT, [64, 64])])

    products = [
        helper.make_node("MatMul", ["x", "w"], ["p0"], name="same"),
        helper.make_node("MatMul", ["p0", "w"], ["p1"], name="second"),
        helper.make_node("MatMul", ["p1", "w"], ["then_y"], name="third"),
    ]
    sides = {
        "then_branch": graph("then", products),
        "else_branch": graph("else", [helper.make_node("Abs", ["x"], ["else_y"], name="other")]),
    }
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["top"], keepdims=0, name="same"),
        helper.make_node("Greater", ["top", "bound"], ["c"]),
        helper.make_node("If", ["c"], ["y"], name="choice", **sides),
    ]
    weights = {"w": np.eye(64, dtype=np.float32), "bound": np.array(bound, dtype=np.float32)}
    ends = [value("x", FLOAT, [64, 64])], [value("y", FLOAT, [64, 64])]
    return save(path, model(nodes, *ends, weights=weights))


def test_onnx_what_is_in_a_branch_is_inside_its_if(tmp_path: Path) -> None:
    rows = operators(run(job(branches(tmp_path / "if.onnx", 0.5), profile=SHORT)))
    (choice,) = [at for at, row in enumerate(rows) if row["type"] == "If"]
    inner = [row for row in rows if row["inside"] == choice]
    assert [row["type"] for row in inner] == ["MatMul"] * 3
    assert [row["name"] for row in inner] == ["same", "second", "third"]
    assert [row["type"] for row in rows if row["name"] == "same"] == ["ReduceMax", "MatMul"]
    assert "other" not in {row["name"] for row in rows}
    rows = operators(run(job(branches(tmp_path / "else.onnx", 2.0), profile=SHORT)))
    assert [row["name"] for row in rows if row["inside"] is not None] == ["other"]


def test_onnx_a_loops_body_is_executed_several_times(tmp_path: Path) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still"], name="go_on"),
            helper.make_node("MatMul", ["a", "w"], ["b"], name="product"),
        ],
        "body",
        [value("i", INT64, []), value("go", BOOL, []), value("a", FLOAT, [32, 32])],
        [value("still", BOOL, []), value("b", FLOAT, [32, 32])],
    )
    loop = helper.make_node("Loop", ["count", "", "x"], ["y"], name="loop", body=body)
    weights = {"count": np.array(4, dtype=np.int64), "w": np.eye(32, dtype=np.float32)}
    whole = model([loop], [value("x", FLOAT, [32, 32])], [value("y", FLOAT, [32, 32])], weights=weights)
    found = run(job(save(tmp_path / "loop.onnx", whole), profile=SHORT))
    rows = operators(found)
    (outer,) = [at for at, row in enumerate(rows) if row["type"] == "Loop"]
    product = next(row for row in rows if row["name"] == "product")
    assert product["inside"] == outer
    assert product["calls"] == 4 * len(product["values_us"])


def test_an_empty_graph_has_no_operators(tmp_path: Path) -> None:
    ports = [value("x", FLOAT, [1, 4])]
    found = run(job(save(tmp_path / "empty.onnx", model([], ports, ports)), profile=SHORT))
    assert found.ending == ("completed", "exit", None)
    assert operators(found) == []
    assert found.of("profile")[0]["values_us"]


def test_three_thousand_nodes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Sin" if at % 2 else "Cos", [f"v{at}"], [f"v{at + 1}"]) for at in range(3000)]
    ends = [value("v0", FLOAT, [1, 4])], [value("v3000", FLOAT, [1, 4])]
    found = run(job(save(tmp_path / "long.onnx", model(nodes, *ends)), profile={"max_count": 200}))
    rows = operators(found)
    assert len(rows) == 3000
    assert 3 <= len(rows[0]["values_us"]) <= profiling.MOST_FIGURES // 3000
    assert all(event["first"] == 50 * at for at, event in enumerate(found.of("operators")))


def test_a_model_that_the_runtime_refuses(tmp_path: Path) -> None:
    place = tmp_path / "bad.onnx"
    place.write_bytes(fetch("mtcnn_onet.onnx").read_bytes()[:5000])
    found = run(job(place, profile=SHORT))
    assert found.end["outcome"] == "refused"
    assert found.of("profile") == []


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[None]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@needs_root
def test_a_disk_that_is_full_while_the_profile_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "small"
    with small_disk(place, "16k"):
        monkeypatch.setenv("TMPDIR", str(place))
        found = run(job(fetch("mtcnn_onet.onnx"), profile=SHORT))
        assert found.ending == ("refused", "steady", "no-profile")
        assert "the disk of" in found.end["message"]
        assert "is full" in found.end["message"]
        assert list(place.iterdir()) == []
        assert found.events[-1]["event"] == "done"


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


NODE = '{"cat":"Node","dur":%d,"ts":%d,"name":"%s_kernel_time","args":{"op_name":"%s","node_index":"%s"}},'
RUN = '{"cat":"Session","dur":20,"ts":0,"name":"model_run","args":{}}'


def test_a_profile_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.json", "[", NODE % (3, 1, "a", "Add", "0"), RUN, "]")
    assert [each.duration_us for each in onnx_profile.inferences(str(whole))] == [20]
    for lines in (["[", NODE % (3, 1, "a", "Add", "0"), RUN], ["[", '{"cat":"No'], [""]):
        with pytest.raises(refusals.Refused, match="cut off") as refused:
            list(onnx_profile.inferences(str(written(tmp_path / "cut.json", *lines))))
        assert refused.value.reason == "no-profile"
    with pytest.raises(refusals.Refused, match="cut off"):
        list(onnx_profile.inferences(str(tmp_path / "missing.json")))


def test_an_older_runtime_without_indices_has_operators_in_their_order(tmp_path: Path) -> None:
    old = NODE.replace(',"node_index":"%s"', "")
    path = written(tmp_path / "old.json", "[", old % (3, 1, "a", "Add"), old % (4, 5, "a", "Add"), RUN, "]")
    tally = profiling.Tally()
    for each in onnx_profile.inferences(str(path)):
        tally.add(each)
    assert [(row["name"], row["place"], row["values_us"]) for row in tally.operators()] == [
        ("a", None, [3]),
        ("a", None, [4]),
    ]


def test_litert_a_profiler_that_lost_the_first_events_is_refused() -> None:
    event = litert_profile._Event
    lost = [event(b"ADD", litert_profile._OPERATOR, 0, 3, 7, 0), event(b"Invoke", litert_profile._CALL, 0, 9, 0, 1)]
    with pytest.raises(refusals.Refused, match="no room"):
        litert_profile.inference(lost)
    with pytest.raises(refusals.Refused, match="no room"):
        litert_profile.inference([])


def test_litert_what_a_subgraph_takes_is_inside_its_operator() -> None:
    event = litert_profile._Event
    heard = [
        event(b"Invoke", litert_profile._CALL, 0, 100, 0, 0),
        event(b"WHILE", litert_profile._OPERATOR, 5, 80, 4, 0),
        event(b"Invoke", litert_profile._CALL, 10, 30, 0, 1),
        event(b"ADD", litert_profile._OPERATOR, 12, 25, 0, 1),
        event(b"Invoke", litert_profile._CALL, 50, 30, 0, 1),
        event(b"ADD", litert_profile._OPERATOR, 52, 26, 0, 1),
        event(b"Add (ND)", litert_profile._DELEGATED, 90, 5, 0, 0),
        event(b"Add (ND)", litert_profile._DELEGATED, 95, 6, 0, 0),
    ]
    tally = profiling.Tally()
    tally.add(litert_profile.inference(heard))
    rows = tally.operators()
    assert [(row["type"], row["values_us"], row["calls"], row["inside"]) for row in rows] == [
        ("WHILE", [29], 1, None),
        ("ADD", [51], 2, 0),
        ("Add (ND)", [5], 1, None),
        ("Add (ND)", [6], 1, None),
    ]


def test_a_runtime_without_a_profiler_says_so_and_names_the_way_out() -> None:
    with pytest.raises(refusals.Refused, match="has no profiler: profile with --runtime ai-edge-litert") as refused:
        litert_profile.Engine(SimpleNamespace(package="ai_edge_litert"), "1.4.0", 1)
    assert refused.value.reason == "no-profile"


def test_events_of_an_unknown_layout_are_refused() -> None:
    with pytest.raises(refusals.Refused, match="another layout"):
        litert_profile._events(bytes([7]) * 256, 2)


def test_lines_stay_within_the_protocols_limit() -> None:
    row = {"name": "x" * 500, "type": "y" * 500, "provider": "z", "values_us": [10**6] * 200}
    shapes = [["float", [10**6] * 16]] * 16
    line = json.dumps([dict(row, inputs=shapes, outputs=shapes)] * profiling.CHUNK)
    assert len(line) < 4 * 2**20


def test_the_signature_that_the_job_names_is_profiled_with_its_branch(tmp_path: Path) -> None:
    net = two_signatures(tmp_path / "two.tflite")
    found = run(job(net, signature="decode", inputs={"x": [1, 3]}, profile=SHORT))
    assert found.ending == ("completed", "exit", None), found.end
    rows = operators(found)
    (choice,) = [at for at, row in enumerate(rows) if row["type"] == "IF"]
    assert rows[choice]["graph"] == 1
    (inner,) = [row for row in rows if row["inside"] == choice]
    assert inner["graph"] in (2, 3)
    found = run(job(net, signature="encode", profile=SHORT))
    assert found.ending == ("completed", "exit", None), found.end
    assert {row["graph"] for row in operators(found)} == {0}
