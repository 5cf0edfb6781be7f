# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures flows over vectors on known densities and on a real table.

`python benchmarks/toy_densities.py` trains a flow on fresh samples of each toy
density, and one on a table of scikit-learn, for some seeds. It prints the nats
on data that the flows have not seen, and draws the densities. Finished runs are
kept in the folder of results, and the next call does not repeat them.

No flow can need fewer nats than the entropy of a toy density. The table has no
known entropy, so its flow is compared with a normal distribution with full
covariance.
"""

import math
import os
import pathlib
import sys
import time

import keras
import matplotlib.figure
import numpy as np
import sklearn.datasets
import tensorflow as tf
import tensorflow_probability as tfp
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache
from tfp_glow import _files

tfb = tfp.bijectors
tfd = tfp.distributions

_DENSITIES = flags.DEFINE_list(
    "densities", ["8gaussians", "checkerboard", "moons"], "densities to fit"
)
_STEPS = flags.DEFINE_integer("steps", 4000, "training steps")
_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_OUT = flags.DEFINE_string("out", "runs/toy_densities", "folder of results")
_PICTURE = flags.DEFINE_string(
    "picture", "runs/toy_densities/densities.png", "file of the picture"
)

BATCH_SIZE = 512
LEARNING_RATE = 2e-3


def fit_density(name, seed, steps, num_test=200_000):
    """Trains a flow on samples, new ones in every step.

    Args:
        name: `str`, of `tfg.toy.distribution`.
        seed: `int`.
        steps: `int`, training steps.
        num_test: `int`, samples of the test.

    Returns:
        The `tfg.FlowModel` and a dictionary of its results, in nats.
    """
    start = time.process_time()
    keras.utils.set_random_seed(seed)
    density = tfg.toy.distribution(name)
    model = tfg.FlowModel(tfg.vector_flow(2, seed=seed))
    warmup_steps = steps // 20
    schedule = tfg.recipe.make_schedule(
        LEARNING_RATE, warmup_steps, "cosine", total_steps=steps + warmup_steps
    )
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=100.0))
    batches = tf.data.Dataset.range(steps).map(
        lambda i: density.sample(
            BATCH_SIZE, seed=tf.stack([1 + seed, tf.cast(i, tf.int32)])
        )
    )
    model.fit(batches, init_batches=8, verbose=0)
    seconds = time.process_time() - start
    x = density.sample(num_test, seed=(0, 0))
    # The difference has a several times smaller error than the mean of the
    # flow.
    excess = density.log_prob(x) - model.log_prob(x)
    return model, {
        "best": float(density.entropy()),
        **_mean_and_error("gap", excess.numpy()),
        "cpu_seconds": seconds,
    }


def fit_table(seed, epochs=100):
    """Trains a flow on a table and compares it with a normal distribution.

    The flow starts at the normal distribution of the training rows, and stops
    where the validation rows are best. The normal distribution that it is
    compared with is fitted to both.

    Args:
        seed: `int`. It also determines the split of the rows.
        epochs: `int`, maximum number of epochs.

    Returns:
        Dictionary of results, in nats per row, with standardized columns.
    """
    start = time.process_time()
    keras.utils.set_random_seed(seed)
    table = sklearn.datasets.load_breast_cancer().data
    table = np.random.default_rng(seed).permutation(table)
    num_train, num_seen = int(0.6 * len(table)), int(0.8 * len(table))
    mean, stddev = table[:num_train].mean(0), table[:num_train].std(0)
    table = ((table - mean) / stddev).astype(np.float32)
    train, validation, test = np.split(table, [num_train, num_seen])
    model = tfg.FlowModel(
        tfd.TransformedDistribution(
            tfg.vector_flow(
                table.shape[-1],
                num_steps=4,
                num_filters=32,
                coupling="affine",
                seed=seed,
            ),
            tfb.Chain(
                [
                    tfb.Shift(train.mean(0)),
                    tfb.ScaleMatvecTriL(_cholesky(train)),
                ]
            ),
        )
    )
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=100.0))
    stop = keras.callbacks.EarlyStopping(
        "val_nats", mode="min", patience=20, restore_best_weights=True
    )
    model.fit(
        train,
        batch_size=64,
        epochs=epochs,
        init_batches=num_train // 64,
        validation_data=(validation,),
        callbacks=[stop],
        verbose=0,
    )
    seconds = time.process_time() - start
    seen = table[:num_seen]
    normal = tfd.MultivariateNormalTriL(seen.mean(0), _cholesky(seen))
    nats = -normal.log_prob(test).numpy()
    return {
        "best": float(np.mean(nats)),
        **_mean_and_error("gap", -model.log_prob(test).numpy() - nats),
        "cpu_seconds": seconds,
    }


def _cholesky(rows):
    covariance = np.cov(rows, rowvar=False, dtype=np.float64)
    return np.linalg.cholesky(covariance).astype(np.float32)


def _mean_and_error(name, values):
    return {
        name: float(np.mean(values)),
        f"{name}_error": float(np.std(values) / math.sqrt(len(values))),
    }


def draw(path, pairs):
    """Draws densities, and below them the flows that were fitted to them.

    Args:
        path: `str`, ending in .png.
        pairs: dictionary of names to pairs of `tfd.Distribution`.
    """
    side = np.linspace(-4.5, 4.5, 300)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape([-1, 2])
    grid = tf.constant(grid, tf.float32)
    figure = matplotlib.figure.Figure(
        figsize=(3 * len(pairs), 6.2), layout="constrained"
    )
    axes = figure.subplots(2, len(pairs), squeeze=False)
    for column, (name, pair) in zip(axes.T, pairs.items()):
        images = [p.prob(grid).numpy().reshape([300, 300]) for p in pair]
        for axis, image, title in zip(column, images, (name, "flow")):
            axis.imshow(image, origin="lower", vmin=0.0, vmax=images[0].max())
            axis.set_title(title)
            axis.set_axis_off()
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _print_row(name, seed, result):
    nats = result["best"] + result["gap"]
    print(
        f"{name:14}{seed:5}{result['best']:10.4f}{nats:10.4f}"
        f"{result['gap']:10.4f}{result['gap_error']:9.4f}"
        f"{result['cpu_seconds']:9.0f}",
        flush=True,
    )


def _weights_path(name, seed):
    return os.path.join(_OUT.value, f"{name}_{_STEPS.value}_{seed}.weights.h5")


def main(_):
    logging.set_verbosity(logging.WARNING)
    os.makedirs(_OUT.value, exist_ok=True)
    results = cache.JsonFile(os.path.join(_OUT.value, "results.json"))
    print(
        f"{'':14}{'seed':>5}{'best':>10}{'flow':>10}{'gap':>10}{'error':>9}"
        f"{'CPU s':>9}"
    )
    for name in _DENSITIES.value:
        for seed in range(_SEEDS.value):
            key = f"{name}, {_STEPS.value} steps, seed {seed}"
            if key not in results:
                model, found = fit_density(name, seed, _STEPS.value)
                model.save_weights(_weights_path(name, seed))
                results[key] = found
                keras.backend.clear_session()
            _print_row(name, seed, results[key])
    for seed in range(_SEEDS.value):
        key = f"breast cancer, seed {seed}"
        if key not in results:
            results[key] = fit_table(seed)
            keras.backend.clear_session()
        _print_row("breast cancer", seed, results[key])
    pairs = {}
    for name in _DENSITIES.value:
        model = tfg.FlowModel(tfg.vector_flow(2, seed=0))
        model.load_weights(_weights_path(name, 0))
        pairs[name] = tfg.toy.distribution(name), model.distribution
    draw(_PICTURE.value, pairs)


if __name__ == "__main__":
    app.run(main)
