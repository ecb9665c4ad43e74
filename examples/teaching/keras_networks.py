"""The convolutional network of the lessons, in Keras."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras

from examples.teaching.digits import TRAINING, pictures


def cnn(dropout: float = 0.0) -> keras.Model:
    """Conv 32, pool, conv 64, pool, dense 64, dense 10: 121,930 weights."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(32, 3, activation="relu", name="conv_32"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_64"),
            layers.MaxPooling2D(name="pool_2"),
            layers.Flatten(name="flatten"),
            *([layers.Dropout(dropout, name="dropout")] if dropout else []),
            layers.Dense(64, activation="relu", name="dense_64"),
            layers.Dense(10, activation="softmax", name="dense_10"),
        ],
        name="digits",
    )


def trained() -> keras.Model:
    """The network, fitted to the digits for two epochs."""
    model = cnn()
    images, labels = pictures()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(images[:TRAINING, ..., None], labels[:TRAINING], epochs=2, batch_size=64, verbose=0)
    return model
