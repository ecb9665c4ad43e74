"""What the tutorial on size calls with each value: a function per question, which returns a trained model.

`edgecheck sweep --factory examples.teaching.sweeps:trees --values 10,100 --trust`, from the repository's root.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier


def trees(count: int) -> Any:
    """A forest of `count` trees."""
    return RandomForestClassifier(count, random_state=0).fit(*load_iris(return_X_y=True))


def depth(most: int) -> Any:
    """A forest of 100 trees that are at most this deep."""
    return RandomForestClassifier(100, max_depth=most, random_state=0).fit(*load_iris(return_X_y=True))


def rows(count: int) -> Any:
    """A forest of 100 trees, trained on this many handwritten digits."""
    features, labels = load_digits(return_X_y=True)
    return RandomForestClassifier(100, random_state=0).fit(features[:count], labels[:count])


def features(count: int) -> Any:
    """A linear model of the first `count` features of iris."""
    every, labels = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=1000).fit(every[:, :count], labels)


def penalty(strength: float) -> Any:
    """A linear model whose coefficients an L1 penalty of this strength pushes to zero."""
    every, labels = load_digits(return_X_y=True)
    model = LogisticRegression(l1_ratio=1, C=1 / strength, solver="liblinear", random_state=0, tol=0.01)
    return model.fit(every, labels == 0)


def width(neurons: int) -> Any:
    """A network with one hidden layer of this width; a few steps of training are enough to give it its size."""
    every, labels = load_digits(return_X_y=True)
    return MLPClassifier(neurons, max_iter=2, solver="sgd", random_state=0).fit(every.astype(np.float32), labels)


def dropout(share: float) -> Any:
    """A Keras network with a layer of dropout."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(128, activation="relu"), keras.layers.Dropout(share), keras.layers.Dense(10)]
    model = keras.Sequential([keras.Input((784,)), *layers])
    model.compile()
    return model


def augmentation(strength: float) -> Any:
    """A Keras network that rotates its pictures by up to this share of a turn while it is trained."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.RandomRotation(strength), keras.layers.Flatten(), keras.layers.Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])
