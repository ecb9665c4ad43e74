"""Operators of TensorFlow graphs that do more than compute are found without TensorFlow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgecheck.converters.safety.tensorflow_graph import of_graph, of_saved_model

pytestmark = pytest.mark.convert

_MAKE = """
import sys
import tensorflow as tf

folder, other = sys.argv[1:]

class Plain(tf.Module):
    def __init__(self, initializer):
        self.variable = tf.Variable([2.0])
        self.table = tf.lookup.StaticVocabularyTable(initializer, 1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, words):
        tf.print("seen", words)
        return tf.cast(self.table.lookup(words), tf.float32) * self.variable

class Bad(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        tf.io.write_file(other + "/a", tf.io.read_file(other))
        tf.print("x", output_stream="file://" + other)
        tf.raw_ops.SaveV2(prefix=other, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        return tf.py_function(lambda y: y, [x], tf.float32)

words = folder + "/words.txt"
open(words, "w").write("a\\nb\\n")
index = tf.lookup.TextFileIndex
lookup = lambda: tf.lookup.TextFileInitializer(words, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
tf.saved_model.save(Plain(lookup()), folder + "/plain")
tf.saved_model.save(Bad(), folder + "/bad")
v1 = tf.compat.v1
graph = tf.Graph()
with graph.as_default(), v1.Session(graph=graph) as session:
    x = v1.placeholder(tf.float32, [1, 4], name="x")
    y = x * v1.get_variable("v", initializer=tf.ones([4]))
    writes = tf.io.write_file(other, "hi")
    session.run(v1.global_variables_initializer())
    builder = v1.saved_model.Builder(folder + "/v1")
    signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
    signatures = {"serving_default": signature}
    builder.add_meta_graph_and_variables(session, ["serve"], main_op=writes, signature_def_map=signatures)
    builder.save()
    open(folder + "/frozen.pb", "wb").write(graph.as_graph_def().SerializeToString())
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("models")
    argv = [sys.executable, "-W", "ignore", "-c", _MAKE, str(folder), str(folder / "other")]
    subprocess.run(argv, check=True, capture_output=True)
    return folder


def test_a_model_with_variables_and_a_vocabulary_only_computes(models: Path) -> None:
    assert list(of_saved_model((models / "plain/saved_model.pb").read_bytes())) == []


def test_what_reaches_out_is_named(models: Path) -> None:
    found = set(of_saved_model((models / "bad/saved_model.pb").read_bytes()))
    assert found == {
        "WriteFile",
        "ReadFile",
        "EagerPyFunc",
        f"PrintV2 to file://{models / 'other'}",
        "SaveV2 of a file that the model names",
    }


def test_operators_that_run_on_loading(models: Path) -> None:
    assert list(of_saved_model((models / "v1/saved_model.pb").read_bytes())) == ["WriteFile"]


def test_a_frozen_graph(models: Path) -> None:
    assert list(of_graph((models / "frozen.pb").read_bytes())) == ["WriteFile"]
