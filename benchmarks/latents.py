# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures what the latent space of a Glow of digits is good for.

`python benchmarks/latents.py` trains two Glows for each of three seeds, one of all
digits and one that knows the classes, and prints a table. A logistic regression
on the pixels, fitted to the training images, judges pictures of test images.
Finished parts are kept in the file of results, and the next call does not repeat
them.
"""

import os
import pathlib
import sys

import numpy as np
import sklearn.linear_model
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache
from tfp_glow.models import saving
from tfp_glow.train import commands
from tfp_glow.train.settings import Settings

BINS = 17
STRENGTHS = (0.0, 1.0, 1.5, 2.0, 3.0)
_NUM_PAIRS = 200  # Of interpolated test images.
_NUM_HOLES = 32
_NUM_STEPS = 100
_HOLE = np.pad(np.ones([4, 4], bool), 2)
# The 97.5th percentile of Student's t, by the number of seeds.
_QUANTILES = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}

_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_RUNS = flags.DEFINE_string("runs", "runs/latents", "folder of the models")
_RESULTS = flags.DEFINE_string(
    "results", "benchmarks/results/latents.json", "file of results"
)


def model_of(kind, seed):
    """Returns a trained model, `"plain"` or given the `"classes"`."""
    run = os.path.join(_RUNS.value, f"{kind}-{seed}")
    if not os.path.exists(os.path.join(run, "model.keras")):
        commands.train(
            run,
            dataset="digits",
            conditional=kind == "classes",
            seed=seed,
            patience=30,
        )
    return saving.load_model(os.path.join(run, "model.keras"))


def digits(split):
    """Returns all images and labels of a split."""
    return Settings(dataset="digits", conditional=True).examples(split)


class Judge:
    """A logistic regression on the pixels of training images."""

    def __init__(self):
        self._classifier = sklearn.linear_model.LogisticRegression(
            max_iter=2000
        )
        images, labels = digits("train")
        self._classifier.fit(self._pixels(images), labels)

    def predict(self, images):
        """Classifies images `[..., 8, 8, 1]`, rounded to gray levels."""
        found = self._classifier.predict(self._pixels(images))
        return found.reshape(images.shape[:-3])

    def _pixels(self, images):
        levels = np.clip(np.round(images), 0, BINS - 1)
        return levels.reshape(-1, 64) / (BINS - 1)


def typical(values):
    """Returns the limits of the central 95 % of values."""
    return np.quantile(values, [0.025, 0.975])


def share_within(values, limits):
    """Returns the share of values that are within limits."""
    return float(np.mean((values >= limits[0]) & (values <= limits[1])))


def attributes(seed, judge):
    """Moves test images of each digit to each other digit.

    The directions come from training images.
    """
    model = model_of("plain", seed)
    train, test = digits("train"), digits("test")
    data = tfg.latents.interpolate(model, test[0], test[0], 2).values[:, 0]
    limits = typical(data)
    results = {}
    for method in ("mean", "logistic"):
        moved, bits, steps = [], [], np.array(STRENGTHS)
        for low in range(10):
            for high in range(low + 1, 10):
                found = tfg.latents.attribute(model, *train, high, low, method)
                for start, goal, sign in ((low, high, 1), (high, low, -1)):
                    images = test[0][test[1] == start]
                    grid = tfg.latents.vary(model, images, found, sign * steps)
                    moved.append(judge.predict(grid.images) == goal)
                    bits.append(grid.values)
        moved, bits = np.concatenate(moved), np.concatenate(bits)
        results[method] = [
            {
                "strength": strength,
                "moved": float(np.mean(moved[:, i])),
                "bits_per_dim": float(np.median(bits[:, i])),
                "typical": share_within(bits[:, i], limits),
            }
            for i, strength in enumerate(STRENGTHS)
        ]
    return results


def interpolations(seed, judge):
    """Interpolates between random test images."""
    del judge
    model = model_of("plain", seed)
    images, _ = digits("test")
    latents = model.encode(images).numpy()
    data = tfg.latents.interpolate(model, images, images, 2).values[:, 0]
    limits = {
        "bits_per_dim": typical(data),
        "norm": typical(np.linalg.norm(latents, axis=-1)),
    }
    generator = np.random.default_rng(seed)
    pairs = [generator.permutation(len(images)) for _ in range(2)]
    start, end = (images[order[:_NUM_PAIRS]] for order in pairs)
    results = {"limits": {k: v.tolist() for k, v in limits.items()}}
    for method in ("linear", "spherical"):
        grid = tfg.latents.interpolate(model, start, end, 9, method)
        values = {
            "bits_per_dim": grid.values,
            "norm": np.linalg.norm(grid.latents, axis=-1),
        }
        results[method] = {
            name: {
                "midpoints": share_within(value[:, 4], limits[name]),
                "paths": float(
                    np.mean(
                        [
                            share_within(row, limits[name]) == 1.0
                            for row in value[:, 1:-1]
                        ]
                    )
                ),
                "median_of_midpoints": float(np.median(value[:, 4])),
            }
            for name, value in values.items()
        }
    return results


def holes(seed, judge):
    """Fills the middle of test images, compared with Gaussians."""
    del judge
    model = model_of("plain", seed)
    train = digits("train")[0].reshape(-1, 64).astype(float)
    images = np.random.default_rng(seed).permutation(digits("test")[0])
    images = images[:_NUM_HOLES]
    hole = _HOLE.ravel()
    results = {}
    for steps in (_NUM_STEPS // 2, _NUM_STEPS):
        found = tfg.latents.inpaint(
            model, images, _HOLE, num_steps=steps, seed=seed
        )
        error = (found.mean - images)[:, _HOLE] ** 2
        results[f"Glow, {steps} steps"] = _row(
            error, found.hole_bits_per_dim, acceptance=found.acceptance
        )
    truth = images.reshape(-1, 64).astype(float)
    noise = np.random.default_rng(seed).random(truth.shape)
    noisy = truth + noise - 0.5  # In gray levels, around their centers.
    # Noise of a gray level has the variance 1 / 12.
    covariance = np.cov(train, rowvar=False) + np.eye(64) / 12.0
    mean = train.mean(axis=0)
    slope = np.linalg.solve(
        covariance[np.ix_(~hole, ~hole)], covariance[np.ix_(~hole, hole)]
    )
    inside = covariance[np.ix_(hole, hole)]
    rest = inside - slope.T @ covariance[np.ix_(~hole, hole)]
    filled = mean[hole] + (noisy - mean)[:, ~hole] @ slope
    for name, fill, covariance in (
        ("Gaussian, conditional mean", filled, rest),
        ("mean of the data", mean[hole], np.diag(np.diag(inside))),
    ):
        bits = _normal_bits(noisy[:, hole] - fill, covariance)
        results[name] = _row((truth[:, hole] - fill) ** 2, bits)
    return results


def _normal_bits(deviations, covariance):
    """Returns bits per dimension of deviations `[N, d]`, in gray levels."""
    factor = np.linalg.cholesky(2.0 * np.pi * covariance)
    standard = np.linalg.solve(np.linalg.cholesky(covariance), deviations.T)
    nats = 0.5 * np.sum(standard**2, axis=0) + np.sum(np.log(np.diag(factor)))
    return nats / (len(covariance) * np.log(2.0))


def _row(squared_errors, bits, **more):
    return {
        "squared_error": float(np.mean(squared_errors)),
        "bits_per_dim": float(np.mean(bits)),
        **more,
    }


def morphs(seed, judge):
    """Draws every test image as the nine other classes."""
    model = model_of("classes", seed)
    images, labels = digits("test")
    grid = tfg.latents.morph(model, model.encode(images, labels).numpy())
    found = judge.predict(grid.images) == np.arange(10)
    others = labels[:, np.newaxis] != np.arange(10)
    return {
        "accuracy_on_data": float(np.mean(judge.predict(images) == labels)),
        "recognized": float(np.mean(found[others])),
        "recognized_by_class": [
            float(np.mean(found[others[:, i], i])) for i in range(10)
        ],
    }


PARTS = {
    "morphs": morphs,
    "attributes": attributes,
    "interpolations": interpolations,
    "holes": holes,
}


def table(results):
    """Formats the means over seeds, with 95 % intervals.

    Args:
        results: list of dictionaries, one for each seed, of `PARTS`' names to
            what the parts return.
    """

    def over_seeds(*keys, factor=1.0, digits=2):
        values = []
        for value in results:
            for key in keys:
                value = value[key]
            values.append(factor * value)
        text = f"{np.mean(values):.{digits}f}"
        if len(values) not in _QUANTILES:
            return text
        error = np.std(values, ddof=1) / np.sqrt(len(values))
        return f"{text} +- {_QUANTILES[len(values)] * error:.{digits}f}"

    def percent(*keys):
        return over_seeds(*keys, factor=100.0, digits=1) + " %"

    lines = [
        "the judge, a logistic regression, on test images: "
        + percent("morphs", "accuracy_on_data"),
        "morphs recognized as their class: " + percent("morphs", "recognized"),
        "",
        f"{'attribute':12}{'strength':>8}{'moved':>18}{'bits/dim':>16}"
        f"{'typical':>18}",
    ]
    for method in ("mean", "logistic"):
        for i, strength in enumerate(STRENGTHS):
            place = ("attributes", method, i)
            lines.append(
                f"{method:12}{strength:8}"
                f"{percent(*place, 'moved'):>18}"
                f"{over_seeds(*place, 'bits_per_dim'):>16}"
                f"{percent(*place, 'typical'):>18}"
            )
    lines += ["", f"{'interpolation':20}{'midpoints':>18}{'whole paths':>18}"]
    for name, unit in (("bits_per_dim", "bits/dim"), ("norm", "norm")):
        for method in ("linear", "spherical"):
            place = ("interpolations", method, name)
            lines.append(
                f"{method + ', ' + unit:20}"
                f"{percent(*place, 'midpoints'):>18}"
                f"{percent(*place, 'paths'):>18}"
            )
    lines += ["", f"{'hole':28}{'squared error':>16}{'bits/dim':>16}"]
    for name in results[0]["holes"]:
        place = ("holes", name)
        lines.append(
            f"{name:28}"
            f"{over_seeds(*place, 'squared_error'):>16}"
            f"{over_seeds(*place, 'bits_per_dim'):>16}"
        )
    return "\n".join(lines)


def main(_):
    logging.set_verbosity(logging.WARNING)
    kept = cache.JsonFile(_RESULTS.value)
    judge, results = Judge(), []
    for seed in range(_SEEDS.value):
        for name, measure in PARTS.items():
            key = f"{name}, seed {seed}"
            if key not in kept:
                kept[key] = measure(seed, judge)
                print(f"{key}: {kept[key]}", flush=True)
        results.append({name: kept[f"{name}, seed {seed}"] for name in PARTS})
    print(table(results))


if __name__ == "__main__":
    app.run(main)
