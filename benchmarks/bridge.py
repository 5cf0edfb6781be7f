# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares `FlowModel.fit` with a training loop written by hand.

`python benchmarks/bridge.py` trains the same distributions in both ways, in
alternating epochs, and prints the medians of the milliseconds per step. It
takes about three minutes on two CPU cores.
"""

import statistics
import time

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app
from absl import flags

import tfp_glow as tfg

tfb = tfp.bijectors
tfd = tfp.distributions

_ROUNDS = flags.DEFINE_integer("rounds", 11, "epochs of each model")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "events per training step")
_STEPS = flags.DEFINE_integer("steps", 100, "steps per epoch")


def glow():
    """A Glow of 8x8 images, 2 levels of 8 steps, 64 filters wide."""
    return tfg.glow_distribution(
        [8, 8, 1],
        num_levels=2,
        num_steps=8,
        num_filters=64,
        gradient="invert",
        seed=0,
    )


def masked_autoregressive_flow():
    """TFP's own flow of vectors of 64, with 5 layers of 256 hidden units."""
    layers = []
    for _ in range(5):
        made = tfb.AutoregressiveNetwork(
            2, event_shape=[64], hidden_units=[256, 256], activation="relu"
        )
        layers += [
            tfb.MaskedAutoregressiveFlow(made),
            tfb.Permute(np.arange(64)[::-1].copy()),
        ]
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [64])
    return tfd.TransformedDistribution(normal, tfb.Chain(layers))


def multivariate_normal():
    """A distribution with almost no work in a step, so the overhead shows."""
    tril = tfp.util.TransformedVariable(tf.eye(64), tfb.FillScaleTriL())
    return tfd.MultivariateNormalTriL(tf.Variable(tf.zeros(64)), tril)


def by_keras(make, dataset):
    """Returns a function that runs an epoch of `FlowModel.fit`."""
    model = tfg.FlowModel(make())
    model.compile(keras.optimizers.Adam(1e-4), jit_compile=False)
    return lambda: model.fit(dataset, verbose=0)


def by_hand(make, dataset):
    """Returns a function that runs an epoch of a loop by hand."""
    distribution = make()
    adopted = tfg.FlowModel(distribution)  # Only for the list of variables.
    variables = adopted.trainable_variables
    optimizer = keras.optimizers.Adam(1e-4)
    optimizer.build(variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(distribution.log_prob(x))
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(gradients, variables)
        return loss

    def epoch():
        losses = [step(x) for x in dataset]
        return np.mean(losses)

    return epoch


def seconds_a_step(function):
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) / _STEPS.value


def main(_):
    print(f"{'':28}{'fit':>10}{'by hand':>10}{'ratio':>8}   ms a step")
    for make in (glow, masked_autoregressive_flow, multivariate_normal):
        shape = (_STEPS.value * _BATCH_SIZE.value, *make().event_shape)
        x = np.random.default_rng(0).random(shape, np.float32) - 0.5
        dataset = tf.data.Dataset.from_tensor_slices(x)
        dataset = dataset.batch(_BATCH_SIZE.value, drop_remainder=True)
        dataset = dataset.prefetch(2)
        epochs = [by_keras(make, dataset), by_hand(make, dataset)]
        for epoch in epochs:
            epoch()  # Traces.
        rounds = [
            [seconds_a_step(epoch) for epoch in epochs]
            for _ in range(_ROUNDS.value)
        ]
        fit, hand = (1e3 * statistics.median(times) for times in zip(*rounds))
        ratio = statistics.median(one / other for one, other in rounds)
        print(
            f"{make.__name__.replace('_', ' '):28}{fit:10.2f}{hand:10.2f}"
            f"{ratio:8.3f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
