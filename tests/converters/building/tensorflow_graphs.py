"""TensorFlow graphs that compute, and others that do more: built together with the Keras models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from pathlib import Path


class _Plain(tf.Module):  # type: ignore[misc] # tensorflow is skipped by mypy here, so that it need not be installed
    """Looks words up in a vocabulary, and multiplies."""

    def __init__(self, initializer: object) -> None:
        super().__init__()
        self.variable = tf.Variable([2.0])
        self.table = tf.lookup.StaticVocabularyTable(initializer, 1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator] # see above
    def __call__(self, words: object) -> object:
        tf.print("seen", words)
        return tf.cast(self.table.lookup(words), tf.float32) * self.variable


class _Bad(tf.Module):  # type: ignore[misc] # see _Plain
    """Reads and writes `other`, and calls Python."""

    def __init__(self, other: str) -> None:
        super().__init__()
        self.other = other

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])  # type: ignore[untyped-decorator] # see _Plain
    def __call__(self, x: object) -> object:
        other = self.other
        tf.io.write_file(other + "/a", tf.io.read_file(other))
        tf.print("x", output_stream="file://" + other)
        tf.raw_ops.SaveV2(prefix=other, tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        return tf.py_function(lambda y: y, [x], tf.float32)


def graphs(folder: Path) -> None:
    """Write them all: `plain`, `bad` and `v1`, which are SavedModels."""
    folder.mkdir()
    words, other = folder / "words.txt", str(folder / "other")
    words.write_text("a\nb\n", encoding="utf-8")
    index = tf.lookup.TextFileIndex
    lookup = tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    tf.saved_model.save(_Plain(lookup), str(folder / "plain"))
    tf.saved_model.save(_Bad(other), str(folder / "bad"))
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [1, 4], name="x")
        y = x * v1.get_variable("v", initializer=tf.ones([4]))
        writes = tf.io.write_file(other, "hi")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder / "v1"))
        signatures = {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})}
        builder.add_meta_graph_and_variables(session, ["serve"], main_op=writes, signature_def_map=signatures)
        builder.save()
