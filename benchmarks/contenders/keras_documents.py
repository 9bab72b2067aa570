"""The documents' code, in today's Keras on TensorFlow: Dense layers, compile, fit."""

import functools

import keras
from keras import layers

from contenders.job import Job


@functools.cache
def compiled(sizes: tuple[int, ...], loss: str) -> keras.Model:
    """TensorFlow traces a model's steps once, which is no part of a time."""
    x = first = keras.Input((sizes[0],))
    for width in sizes[1:-1]:
        x = layers.Dense(width, activation="relu")(x)
    x = layers.Dense(sizes[-1], activation="relu" if loss == "bce" else "linear")(x)
    for width in sizes[-2:0:-1]:
        x = layers.Dense(width, activation="relu")(x)
    x = layers.Dense(sizes[0], activation="sigmoid" if loss == "bce" else "linear")(x)
    model = keras.Model(first, x)
    model.compile(optimizer="adam", loss="binary_crossentropy" if loss == "bce" else "mse")
    return model


def fit(job: Job) -> float:
    train, val = job.flat()
    history = compiled(job.layers, job.loss).fit(
        train,
        train,
        epochs=job.epochs,
        batch_size=job.batch_size,
        shuffle=True,
        validation_data=(val, val),
        verbose=0,
    )
    return float(history.history["val_loss"][-1])
