# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures how far the bound of `Dequantized` is below the log-likelihood.

`python benchmarks/dequantization_gap.py` trains a small Glow on images of 2x2
pixels and 4 gray levels, of which there are only 256. It computes the bound of
each image for several numbers of noise samples, and the probability itself by
a sum over a fine grid of noise. It prints the sum of all probabilities, and the
gap, and draws docs/dequantization_gap.png.
"""

import itertools
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

_SEEDS = flags.DEFINE_integer("seeds", 1, "number of random seeds")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/dequantization_gap.json", "file of results"
)
_PICTURE = flags.DEFINE_string("out", "docs/dequantization_gap.png", "picture")

LEVELS = 4
SHAPE = (2, 2, 1)
NUM_NOISE_SAMPLES = (1, 2, 4, 8, 16, 32)
# Draws of the noise, each of `num_noise_samples`, over which a bound is averaged.
_NUM_DRAWS = 200
# Positions of the grid in each of the four dimensions of a cell.
_NUM_POSITIONS = 10
_STEPS = 600


def all_images():
    """Returns all images, int32 `[256, 2, 2, 1]`."""
    return (
        np.indices([LEVELS] * 4, np.int32)
        .reshape([4, -1])
        .T.reshape([-1, *SHAPE])
    )


def measure(seed):
    """Trains a flow and compares its bounds with its probabilities."""
    keras.utils.set_random_seed(seed)
    images = all_images()
    random = np.random.default_rng(seed)
    # Neighbors tend to be alike, and some images are more frequent by chance.
    smooth = -np.abs(np.diff(images[..., 0], axis=1)).sum((1, 2))
    weights = random.gamma(0.5, size=len(images)) * np.exp(smooth)
    truth = weights / weights.sum()
    model = tfg.GlowModel(
        SHAPE,
        bins=LEVELS,
        num_levels=1,
        num_steps=4,
        num_filters=32,
        seed=seed,
    )
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(
        images[random.choice(len(images), 64 * _STEPS, p=truth)],
        batch_size=64,
        verbose=0,
    )
    flow = model.distribution.distribution
    log_probs = _log_probs(model.distribution, images)
    result = {"probability of all images": float(np.exp(log_probs).sum())}
    for count in NUM_NOISE_SAMPLES:
        bound = tf.function(
            tfg.Dequantized(flow, LEVELS, num_noise_samples=count).log_prob
        )
        # `first_row` makes the noise of all rows and draws independent.
        bounds = np.mean(
            [
                bound(images, seed=tf.constant([seed, i]), first_row=0)
                for i in range(_NUM_DRAWS)
            ],
            axis=0,
        )
        result[str(count)] = {
            "sum": float(np.exp(bounds).sum()),
            "gap": float(np.sum(truth * (log_probs - bounds)) / 4 / np.log(2)),
        }
    return result


def _log_probs(images_distribution, images):
    """Integrates the density over the cell of every image."""
    middles = (np.arange(_NUM_POSITIONS, dtype=np.float32) + 0.5) / (
        _NUM_POSITIONS
    )
    grid = np.stack(list(itertools.product(middles, repeat=4)))
    grid = tf.constant(grid.reshape([-1, *SHAPE]))

    @tf.function
    def log_prob(image):
        values = images_distribution.dequantize(image, grid)
        densities = images_distribution.distribution.log_prob(values)
        return tf.reduce_logsumexp(densities)

    sums = np.array([log_prob(tf.constant(image)) for image in images])
    return sums - np.log(len(grid)) - 4 * np.log(LEVELS)


def draw(path, results):
    """Draws the sums and the gaps of all seeds."""
    figure = matplotlib.figure.Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for seed, result in enumerate(results):
        color = ("#0072B2", "#D55E00", "#009E73")[seed % 3]
        sums, gaps = (
            [result[str(count)][key] for count in NUM_NOISE_SAMPLES]
            for key in ("sum", "gap")
        )
        style = dict(color=color, label=f"seed {seed}")
        left.plot(NUM_NOISE_SAMPLES, sums, "o-", **style)
        left.axhline(result["probability of all images"], color=color, ls=":")
        right.plot(NUM_NOISE_SAMPLES, gaps, "o-", **style)
    left.axhline(1.0, color="k", lw=1)
    left.set_ylim(top=1.05)
    left.set_title("Sum of exp(bound) over all 256 images")
    left.set_ylabel("probability; dotted: of all images")
    right.set_title("Gap between the bound and log P(x)")
    right.set_ylabel("bits per dimension")
    right.set_yscale("log")
    right.set_ylim(1e-3, 0.2)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        axes.set_xticks(NUM_NOISE_SAMPLES, NUM_NOISE_SAMPLES)
        axes.set_xlabel("num_noise_samples")
        axes.legend(frameon=False)
    with _files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=110)


def main(_):
    logging.set_verbosity(logging.WARNING)
    kept, results = cache.JsonFile(_RESULTS.value), []
    for seed in range(_SEEDS.value):
        key = f"seed {seed}"
        if key not in kept:
            kept[key] = measure(seed)
        result = kept[key]
        results.append(result)
        total = result["probability of all images"]
        print(f"{key}: probability of all images {total:.4f}")
        for count in NUM_NOISE_SAMPLES:
            row = result[str(count)]
            print(
                f"{count:5} noise samples: sum {row['sum']:.4f}, "
                f"gap {row['gap']:.4f} bits/dim"
            )
    draw(_PICTURE.value, results)


if __name__ == "__main__":
    app.run(main)
