"""Signatures of a `.tflite`: the one that the job names is fed and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.agent import small_models
from tests.agent.agent_runs import ONE_PROCESS, QUICK, decoded, job, run


def test_the_signature_that_the_job_names_runs(tmp_path: Path) -> None:
    model = small_models.two_signatures(tmp_path / "two.tflite")
    rows = np.array([[1, -2, 3], [0, 5, -1]], np.float32)
    np.savez(tmp_path / "samples.npz", flip=np.array([[True], [False]]), x=rows)
    asked = job(
        model,
        signature="decode",
        samples=str(tmp_path / "samples.npz"),
        latency=QUICK,
        memory=ONE_PROCESS,
        outputs=True,
    )
    heard = run(asked)
    assert heard.code == 0, heard.stderr
    assert {event["outcome"] for event in heard.of("end")} == {"completed"}
    assert [each["name"] for each in heard.of("inputs")[0]["inputs"]] == ["flip", "x"]
    assert [each["shape"] for each in heard.of("inputs")[0]["inputs"]] == [[1], [1, 3]]
    outputs = heard.of("output")
    assert [each["name"] for each in outputs] == ["answer", "answer"]
    np.testing.assert_array_equal(decoded(outputs[0]), [[-1, 2, -3]])
    np.testing.assert_array_equal(decoded(outputs[1]), [[0, 5, 1]])


def test_without_a_name_the_first_graph_runs(tmp_path: Path) -> None:
    heard = run(job(small_models.two_signatures(tmp_path / "two.tflite"), outputs=True))
    assert [each["shape"] for each in heard.of("inputs")[0]["inputs"]] == [[4]]


def test_an_unknown_signature_is_refused(tmp_path: Path) -> None:
    heard = run(job(small_models.two_signatures(tmp_path / "two.tflite"), signature="train", outputs=True))
    assert heard.ending == ("refused", "load", "wrong-sample")
    assert heard.end["message"] == "the model has no signature 'train'; it has: encode, decode"


def test_only_tflite_models_have_signatures(tmp_path: Path) -> None:
    model = small_models.identity(tmp_path / "same.onnx", small_models.FLOAT, [1])
    heard = run(job(model, signature="decode", outputs=True))
    assert [event["message"] for event in heard.of("problem")] == ["only .tflite models have signatures"]
