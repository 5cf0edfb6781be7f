# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains invertible maps on a regression for which their inverse explodes.

`python benchmarks/exploding_inverses.py` fits affine couplings in two
dimensions to `y = (x[0], 0)`, which forgets one coordinate. No invertible map
equals it, but one that squeezes the plane ever more comes ever closer, until
float32 cannot recover x from y. A penalty on finite differences prevents that.
The program prints and draws the errors of the regression and of the round trip:
with scales that are exponentials of unbounded networks, with the penalty in
addition, and with the package's default, bounded networks and scales in (0, 1).

The idea is that of the regression in Behrmann et al., Understanding and
mitigating exploding inverses in invertible neural networks, 2021.
"""

import pathlib
import sys

import keras
import matplotlib.figure
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache
from tfp_glow import _files
from tfp_glow.models import penalties

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_STEPS = flags.DEFINE_integer("steps", 1000, "training steps")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/exploding_inverses.json", "file of results"
)
_PICTURE = flags.DEFINE_string("out", "docs/exploding_inverses.png", "picture")

# Weight of the penalty, scale function, and bounds of the networks.
_UNBOUNDED = dict(input_bound=None, output_bound=None)
KINDS = {
    "exponential": (0.0, "affine_exp", _UNBOUNDED),
    "exponential, penalty": (1e-3, "affine_exp", _UNBOUNDED),
    "default": (0.0, "affine", {}),
}
# Where the picture has values that are not finite.
_EDGE = 1e3
_COLORS = ("#D55E00", "#0072B2", "#009E73")
_BATCH_SIZE = 256
_INTERVAL = 50


def target(x):
    """Returns the points that the regression fits."""
    return tf.stack([x[:, 0], 0.0 * x[:, 1]], axis=-1)


def measure(kind, seed, steps):
    """Trains a map; returns the history of its errors on new points."""
    weight, coupling, bounds = KINDS[kind]
    keras.utils.set_random_seed(seed)
    flow = tfg.vector_flow(
        2,
        num_filters=32,
        coupling=coupling,
        network=tfg.networks.CouplingNetwork(**bounds),
        gradient="store",
        seed=seed,
    )
    # It tracks the variables for Keras.
    model = tfg.FlowModel(flow)
    optimizer = keras.optimizers.Adam(2e-3, global_clipnorm=10.0)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train(step):
        noise = tf.stack([seed, step])
        points = tf.random.stateless_normal([_BATCH_SIZE, 2], noise)
        with tf.GradientTape() as tape:
            error = flow.bijector.inverse(points) - target(points)
            loss = tf.reduce_mean(error**2)
            if weight:
                values = penalties.penalty(flow, points, noise)
                loss += weight * tf.reduce_mean(values)
        variables = model.trainable_variables
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(gradients, variables)

    @tf.function
    def errors():
        points = tf.random.stateless_normal([2000, 2], [seed, -1])
        outputs = flow.bijector.inverse(points)
        error = tf.sqrt(tf.reduce_mean((outputs - target(points)) ** 2))
        # TFP's cache does not know a new tensor.
        back = flow.bijector.forward(tf.identity(outputs))
        distances = tf.norm(back - points, axis=-1)
        largest = tf.reduce_max(distances)
        return error, largest, tf.math.is_finite(distances)

    model.initialize(np.random.default_rng(seed).normal(size=[2000, 2]))
    history = {"step": [], "error": [], "round_trip": [], "finite": []}
    for step in range(steps + 1):
        if step % _INTERVAL == 0:
            error, largest, finite = errors()
            history["step"].append(step)
            history["error"].append(float(error))
            # JSON has no other numbers.
            largest = float(largest) if np.isfinite(largest) else None
            history["round_trip"].append(largest)
            history["finite"].append(float(np.mean(finite)))
        train(tf.constant(step))
    return history


def draw(path, results):
    """Draws both errors against the steps, a line for each seed."""
    figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (kind, histories), color in zip(results.items(), _COLORS):
        for i, history in enumerate(histories):
            style = dict(color=color, label=None if i else kind, lw=1.5)
            left.plot(history["step"], history["error"], **style)
            trips = np.array(history["round_trip"], float)  # NaN for `None`.
            style["marker"] = "."
            right.plot(history["step"], trips, **style)
            # Values that are not finite are on the upper edge.
            edge = np.where(np.isnan(trips), _EDGE, np.nan)
            right.plot(history["step"], edge, "x", color=color)
    left.set_title("Error of the regression")
    left.set_ylabel("root mean square")
    right.set_title("Round trip in float32, the worst of 2,000 points")
    right.set_ylabel("distance of a point from its round trip")
    right.set_ylim(3e-7, 2 * _EDGE)
    right.text(60, _EDGE / 2, "not finite", va="top", color="dimgray")
    for axes in (left, right):
        axes.set_yscale("log")
        axes.set_xlabel("training step")
    left.legend(frameon=False)
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def main(_):
    logging.set_verbosity(logging.WARNING)
    kept = cache.JsonFile(_RESULTS.value)
    results = {kind: [] for kind in KINDS}
    print(f"{'':22}{'seed':>5}{'error':>9}{'round trip':>12}{'finite':>9}")
    for seed in range(_SEEDS.value):
        for kind in KINDS:
            key = f"{kind}, {_STEPS.value} steps, seed {seed}"
            if key not in kept:
                kept[key] = measure(kind, seed, _STEPS.value)
            history = kept[key]
            results[kind].append(history)
            trips = [np.inf if x is None else x for x in history["round_trip"]]
            print(
                f"{kind:22}{seed:5}{history['error'][-1]:9.4f}{max(trips):12.2g}"
                f"{history['finite'][-1]:9.1%}",
                flush=True,
            )
    draw(_PICTURE.value, results)


if __name__ == "__main__":
    app.run(main)
