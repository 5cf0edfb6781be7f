# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures rounding errors of the three gradients during training.

`python benchmarks/gradient_error.py` trains a Glow of photographs. At the
start, on the way and at the end it compares the float32 gradient of a
validation batch with that of a float64 copy, and prints |g - g64| / |g64| over
all weights. It takes about three minutes on two CPU cores.
"""

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

import tfp_glow as tfg
from tfp_glow.bijectors import gradients

_STEPS = flags.DEFINE_list(
    "steps", ["0", "300", "1000"], "training steps at which to measure"
)
_NUM_STEPS = flags.DEFINE_integer("num_steps", 16, "steps per level, K")
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 32, "width of the networks, W"
)
_BATCH_SIZE = 16


def gradient(glow, images):
    """Returns the gradient of the mean negative log-density, as one array."""

    @tf.function
    def compute():
        with tf.GradientTape() as tape:
            latents = tf.cast(glow.inverse(images), tf.float64)
            log_det = glow.inverse_log_det_jacobian(images, event_ndims=3)
            nats = tf.reduce_sum(latents**2, axis=-1) / 2
            loss = tf.reduce_mean(nats - tf.cast(log_det, tf.float64))
        return tape.gradient(loss, glow.trainable_variables)

    return np.concatenate([g.numpy().ravel().astype(float) for g in compute()])


def errors(glow, exact, images):
    """Computes the relative errors of the gradients, by mode.

    Args:
        glow: float32 `Glow`.
        exact: float64 `Glow` of the same configuration. Its weights are set.
        images: float64 `Tensor` `[N, H, W, C]`.
    """
    for variable, value in zip(exact.variables, glow.variables):
        variable.assign(tf.cast(value, variable.dtype))
    expected = gradient(exact, images)
    images = tf.cast(images, tf.float32)
    return {
        mode: np.linalg.norm(
            gradient(glow.copy(gradient=mode, validate_args=False), images)
            - expected
        )
        / np.linalg.norm(expected)
        for mode in gradients.GRADIENTS
    }


def main(_):
    logging.set_verbosity(logging.WARNING)
    keras.utils.set_random_seed(0)
    options = dict(
        num_levels=3,
        num_steps=_NUM_STEPS.value,
        num_filters=_NUM_FILTERS.value,
        initialization="normalize",
        gradient="store",
        seed=0,
    )
    model = tfg.GlowModel([32, 32, 3], **options)
    exact = tfg.Glow([32, 32, 3], dtype=tf.float64, **options)
    schedule = tfg.recipe.make_schedule(1e-3, warmup_steps=100)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=100.0))
    train = tfg.datasets.load("photos", "train", _BATCH_SIZE, seed=0)
    model.initialize(next(iter(train)))
    images = next(iter(tfg.datasets.load("photos", "validation", _BATCH_SIZE)))
    noise = tf.random.stateless_uniform(images.shape, (0, 0), dtype=tf.float64)
    images = model.distribution.dequantize(tf.cast(images, tf.float64), noise)
    done = 0
    print(f"{'steps':>6}" + "".join(f"{m:>12}" for m in gradients.GRADIENTS))
    for steps in map(int, _STEPS.value):
        if steps > done:
            model.fit(train.repeat(), steps_per_epoch=steps - done, verbose=0)
            done = steps
        found = errors(model.glow, exact, images)
        print(f"{done:6}" + "".join(f"{e:12.2g}" for e in found.values()))


if __name__ == "__main__":
    app.run(main)
