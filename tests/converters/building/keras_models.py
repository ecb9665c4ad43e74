"""Builds the Keras models and SavedModels of the tests: `python keras_models.py FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "tensorflow"}

import keras
import numpy as np
import tensorflow as tf

from examples.real_models import fetch
from tests.converters.building.tensorflow_graphs import graphs


def main(folder: Path) -> None:
    """Write them all."""
    keras.utils.set_random_seed(0)
    emotion = keras.models.load_model(fetch("emotion.hdf5"), compile=False)
    emotion.save(folder / "emotion.keras")
    emotion.export(folder / "emotion_saved", verbose=False)
    two_ended(folder)
    keras.Sequential([keras.Input((None, 4)), keras.layers.LSTM(32), keras.layers.Dense(3, activation="softmax")]).save(
        folder / "lstm.keras"
    )
    for name, end in (("filters", keras.layers.Conv2D(2, 3)), ("pooled", keras.layers.GlobalAveragePooling2D())):
        keras.Sequential([keras.Input((None, None, 3), name="image"), keras.layers.Conv2D(4, 3), end]).save(
            folder / f"{name}.keras"
        )
    saved_with_state(folder / "state_saved")
    saved_with_signatures(folder / "signatures_saved")
    saved_with_table(folder / "table_saved")
    inside = keras.Sequential([keras.Input(batch_shape=(1, 5, 3)), keras.layers.LSTM(4, stateful=True)])
    keras.Sequential([keras.Input(batch_shape=(1, 5, 3)), inside, keras.layers.Dense(2, activation="softmax")]).save(
        folder / "stateful.keras"
    )
    built = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)])
    built.build((None, 6))
    built.save(folder / "sequential.keras")
    never_called(folder)
    for write in (tiny_outputs, in_another_order, of_transformers, equal_constants, flat, of_groups):
        write(folder)
    graphs(folder / "graphs")
    for suffix in ("keras", "h5"):
        lambdas(folder / f"lambda.{suffix}", folder / f"ran.{suffix}")
    built.save_weights(folder / "only.weights.h5")


def two_ended(folder: Path) -> None:
    """Two inputs and two outputs of the same shape, in lists and in dicts."""
    zeta, alpha = keras.Input((8,), name="zeta"), keras.Input((4,), name="alpha")
    first = keras.layers.Dense(5, name="first")(zeta)
    joined = keras.layers.Concatenate()([first, alpha])
    second = keras.layers.Dense(5, activation="softmax", name="second")(joined)
    model = keras.Model([zeta, alpha], [second, first])
    model.save(folder / "two.keras")
    model.export(folder / "two_saved", verbose=False)
    keras.Model({"zeta": zeta, "alpha": alpha}, {"probabilities": second, "hidden": first}).save(folder / "dict.keras")
    keras.Model([zeta, alpha], {"x": first, "y": second}).save(folder / "named.keras")
    rows = keras.Input((7, 4), name="rows")
    last = keras.layers.LSTM(6)(rows)
    ends = [keras.layers.Dense(3, name=name)(last) for name in ("zed", "bee")]
    keras.Model(rows, ends).save(folder / "recurrent_list.keras")
    keras.Model(rows, {"zed, the last": ends[0], "bee": ends[1]}).save(folder / "recurrent_dict.keras")
    rng = np.random.default_rng(0)
    np.savez(
        folder / "two.npz",
        alpha=rng.normal(size=(6, 4)).astype(np.float32),
        zeta=rng.normal(size=(6, 8)).astype(np.float32),
    )


def saved_with_state(folder: Path) -> None:
    """A SavedModel whose calls add up."""
    module = tf.Module()
    module.weights = tf.Variable(np.random.default_rng(0).random((4, 3)), dtype=tf.float32)
    module.sum = tf.Variable(tf.zeros([1, 3]))

    def add(row: object) -> dict[str, object]:
        module.sum.assign(module.sum * 0.9 + row @ module.weights)
        return {"sum": module.sum + 0.0}

    traced = tf.function(add, input_signature=[tf.TensorSpec([1, 4], tf.float32, name="row")])
    tf.saved_model.save(module, str(folder), signatures=traced.get_concrete_function())


def saved_with_table(folder: Path) -> None:
    """A SavedModel that looks up 40 rows, by numbers that it casts first."""
    module = tf.Module()
    module.table = tf.Variable(np.random.default_rng(0).random((40, 5)), dtype=tf.float32)

    def look(numbers: object) -> dict[str, object]:
        return {"sum": tf.reduce_sum(tf.gather(module.table, tf.cast(numbers, tf.int32)), axis=1)}

    traced = tf.function(look, input_signature=[tf.TensorSpec([None, 8], tf.int64, name="numbers")])
    tf.saved_model.save(module, str(folder), signatures=traced.get_concrete_function())


def saved_with_signatures(folder: Path) -> None:
    """A SavedModel that encodes and decodes, and has no default."""
    module = tf.Module()
    module.weights = tf.Variable(np.random.default_rng(0).random((6, 3)), dtype=tf.float32)
    ways = {
        "encode": (lambda picture: {"code": tf.nn.softmax(picture @ module.weights)}, [None, 6], "picture"),
        "decode": (lambda code: {"picture": tf.tanh(code @ tf.transpose(module.weights))}, [None, 3], "code"),
    }
    signatures = {
        name: tf.function(way, input_signature=[tf.TensorSpec(shape, tf.float32, name=port)]).get_concrete_function()
        for name, (way, shape, port) in ways.items()
    }
    tf.saved_model.save(module, str(folder), signatures=signatures)


@keras.saving.register_keras_serializable("tests")
class Doubling(keras.Model):  # type: ignore[misc] # keras is skipped by mypy here, so that it need not be installed
    """A model of its author's own class, which says nothing of its inputs."""

    def __init__(self, **settings: object) -> None:
        super().__init__(**settings)
        self.dense = keras.layers.Dense(3)

    def call(self, inputs: object) -> object:
        """Twice the dense layer."""
        return self.dense(inputs) * 2


def never_called(folder: Path) -> None:
    """Saved before it was called: it has no inputs and no weights yet."""
    for suffix in ("keras", "h5"):
        keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(2)]).save(folder / f"never_called.{suffix}")
    keras.Sequential([keras.layers.Rescaling(1 / 255)]).save(folder / "weightless.keras")
    own = Doubling()
    own(np.zeros((1, 5), np.float32))
    own.save(folder / "own_class.keras")


def tiny_outputs(folder: Path) -> None:
    """Tiny outputs, as of a deep network with random weights: next to a large sample, they vanish in its scale."""
    inputs = keras.Input((16,))
    outputs = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(stddev=1e-12))(inputs)
    keras.Model(inputs, outputs).save(folder / "tiny.keras")


def in_another_order(folder: Path) -> None:
    """Two inputs of one shape, the second of which comes first by name, and of quite another scale."""
    right, left = keras.Input((8,), name="right"), keras.Input((8,), name="left")
    ends = [keras.layers.Dense(4, name="small")(right), keras.layers.Dense(4, name="great")(left)]
    keras.Model([right, left], ends).save(folder / "right_left.keras")
    source = np.random.default_rng(0)
    small, great = (source.normal(0, scale, (32, 8)).astype(np.float32) for scale in (0.01, 10))
    np.savez(folder / "right_left.npz", right=small, left=great)


def of_transformers(folder: Path) -> None:
    """What tf2onnx has no operator for, or takes for an input: GELU, and what a Normalization has learned."""
    learned = keras.layers.Normalization()
    learned.adapt(np.random.default_rng(0).normal(5, 3, (64, 8)).astype(np.float32))
    layers = [keras.Input((8,), name="rows"), learned, keras.layers.Dense(8, activation="gelu"), keras.layers.Dense(3)]
    keras.Sequential(layers).save(folder / "gelu.keras")
    keras.Sequential([*layers[:1], keras.layers.Dense(8, activation="gelu")]).export(
        folder / "gelu_saved", verbose=False
    )


def equal_constants(folder: Path) -> None:
    """Eight zeros twice: the bias that every convolution gets, and what a PReLU begins with."""
    layers = [keras.layers.Conv2D(8, 3, use_bias=False), keras.layers.PReLU(shared_axes=[1, 2])]
    keras.Sequential([keras.Input((8, 8, 3)), *layers]).save(folder / "equal.keras")


def flat(folder: Path) -> None:
    """A thousand classes, none of them likelier than 1/256: int8 has no number for that."""
    layers = [keras.Input((16,), name="rows"), keras.layers.Dense(1000, activation="softmax", name="scores")]
    keras.Sequential(layers).save(folder / "flat.keras")


def of_groups(folder: Path) -> None:
    """Grouped convolutions in one, two and three dimensions, one after the other."""
    volume = keras.Input((6, 6, 6, 4), name="volume")
    found = keras.layers.Conv3D(8, 2, groups=2)(volume)
    found = keras.layers.Conv2D(8, 3, groups=4, padding="same")(keras.layers.Reshape((25, 5, 8))(found))
    found = keras.layers.Conv1D(4, 3, groups=2, dilation_rate=2)(keras.layers.Reshape((125, 8))(found))
    end = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D()(found))
    keras.Model(volume, end).save(folder / "groups.keras")


def lambdas(path: Path, marker: Path) -> None:
    """Python code in a layer: what it does shows that it ran."""
    code = f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"
    layer = keras.layers.Lambda(eval(code), output_shape=(3,))
    keras.Sequential([keras.Input((3,)), layer]).save(path)
    marker.unlink(missing_ok=True)  # building the model called it


if __name__ == "__main__":
    main(Path(sys.argv[1]))
