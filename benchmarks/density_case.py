# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trains one model in this process and prints a line of JSON.

`density.py` and `ablations.py` start it. It imports only NumPy and the
framework of the model, so it runs in the environment of each model. All models
get the same integers in the same order, and are validated and tested on the
same images. All use uniform dequantization:

    log2 P(x) >= E[ log2 p((x + u) / bins) ] - D log2 bins,   u ~ U[0, 1)**D

The process has one CPU core, and training time is the time that it computes
there, so that other work on the machine does not count. Training time includes
the initialization and all steps, with the tracing and compilation of the first
one. It does not include importing the framework and building, validating,
testing or sampling the model.
"""

import argparse
import dataclasses
import importlib
import json
import math
import os
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import compare_case

# The module of each case in `density_cases`. It has `Model(run, image_shape,
# bins)`, `VERSIONS`, a dictionary of names to version numbers, and
# `MOST_STEPS`, after which there is nothing left to train.
MODULES = {
    "ours": "ours",
    "paper": "ours",
    "tfb_glow": "tfb_glow",
    "normflows": "normflows_glow",
    "gaussian": "gaussian",
}
ABLATIONS = {
    f"{permutation}_{coupling}": (permutation, coupling)
    for permutation in ("reverse", "shuffle", "learned")
    for coupling in ("additive", "affine")
}
MODULES.update(dict.fromkeys(ABLATIONS, "ours"))

_NUM_VALIDATIONS = 24
_NUM_VALIDATION_IMAGES = 300
_NUM_INITIAL_IMAGES = 256
_NUM_DRAWS = 4  # Noise samples over which test bits/dim are averaged.
_NUM_SAMPLES = 1000
_AT_A_TIME = 100


@dataclasses.dataclass(frozen=True)
class Run:
    """One training run: the case, the data, and for how long.

    `learning_rate` is `None` if the case has none. A `batch_size` of 0 means
    all training images at once. Pilot runs are not tested.
    """

    case: str
    dataset: str
    seed: int
    learning_rate: float | None
    minutes: float
    num_levels: int
    num_steps: int
    num_filters: int
    batch_size: int
    is_pilot: bool = False

    @property
    def name(self):
        """The name of the run's file, without `.json`."""
        return (
            f"{self.dataset}-{self.case}-{'pilot' if self.is_pilot else 'full'}"
            f"-{self.minutes:g}min-L{self.num_levels}-K{self.num_steps}"
            f"-W{self.num_filters}-batch{self.batch_size}"
            f"-rate{self.learning_rate}-seed{self.seed}"
        )


def measure(run, data):
    """Trains a model and tests the weights that were best on validation.

    Args:
        run: `Run`.
        data: dictionary of integer images `train`, `validation` and `test`,
            `[N, H, W, C]`, and of `bins`.

    Returns:
        Dictionary of plain values:

        - `curve`: triples of seconds of training, steps, and bits/dim on
          validation, `None` where that was not finite,
        - `best_validation`, `best_step`, `seconds` and `steps` of training,
        - `diverged_at`: the step whose loss was not finite, or `None`,
        - `test`: bits/dim of each test image; its `samples`: how many, and the
          shares of images and of values that are not finite. Not of pilots.
        - `image_shape`, `bins`, `num_weights`, `versions`, `num_cpus`.
    """
    module = importlib.import_module(
        f"benchmarks.density_cases.{MODULES[run.case]}"
    )
    image_shape, bins = data["train"].shape[1:], int(data["bins"])
    model = module.Model(run, image_shape, bins)
    result = train(model, run, data, module.MOST_STEPS)
    if not run.is_pilot:
        draws = [
            bits_per_dim(model, data["test"], seed)
            for seed in range(_NUM_DRAWS)
        ]
        result["test"] = _plain(np.mean(draws, axis=0))
        result["samples"] = _check_samples(model)
    return {
        **result,
        "image_shape": list(image_shape),
        "bins": bins,
        "num_weights": model.num_weights,
        "versions": module.VERSIONS,
        "num_cpus": compare_case.num_cpus(),
    }


def train(model, run, data, most_steps=math.inf, now=time.process_time):
    """Trains until the time is up; leaves the best weights in the model.

    Args:
        model: see `density_cases`.
        run: `Run`.
        data: as in `measure`.
        most_steps: number after which training ends in any case.
        now: callable that returns seconds, by default those of computation.

    Returns:
        Dictionary of plain values, see `measure`.
    """
    limit = 60.0 * run.minutes
    order = np.random.default_rng(run.seed)
    batches = _batches(data["train"], run.batch_size, order)
    validation = _some(data["validation"], _NUM_VALIDATION_IMAGES)
    clock, step, curve, diverged_at = 0.0, 0, [], None
    best, best_step, best_weights = math.inf, 0, None

    start = now()
    model.initialize(_some(data["train"], _NUM_INITIAL_IMAGES))
    clock += now() - start
    while True:
        start = now()
        try:
            model.train_step(next(batches))
        except FloatingPointError:
            diverged_at = step
        clock += now() - start
        step += 1
        is_last = (
            clock >= limit or step >= most_steps or diverged_at is not None
        )
        if is_last or clock >= limit * (len(curve) + 1) / _NUM_VALIDATIONS:
            bits, weights = validate(model, validation)
            curve.append([round(clock, 3), step, _plain(bits)])
            if bits < best:
                best, best_step, best_weights = bits, step, weights
        if is_last:
            break
    if best_weights is not None:
        model.assign(best_weights)
    return {
        "curve": curve,
        "best_validation": _plain(best),
        "best_step": best_step,
        "seconds": clock,
        "steps": step,
        "diverged_at": diverged_at,
    }


def validate(model, images):
    """Validates the weights of a model, and their average if it keeps one.

    Returns:
        The lower bits/dim, perhaps not finite, and its weights. The weights of
        the model do not change.
    """
    kept = model.weights()
    best, best_weights = math.inf, kept
    for weights in (kept, *model.averages()):
        model.assign(weights)
        bits = float(np.mean(bits_per_dim(model, images, seed=0)))
        if bits < best:
            best, best_weights = bits, weights
    model.assign(kept)
    return best, best_weights


def bits_per_dim(model, images, seed):
    """Returns bits/dim of images for one noise sample each, float64 `[N]`."""
    size = math.prod(images.shape[1:])
    values = []
    for i in range(0, len(images), _AT_A_TIME):
        # All batches have one size, so no program is traced twice.
        batch = np.take(images, range(i, i + _AT_A_TIME), axis=0, mode="wrap")
        # A seed that no other batch and no other `seed` uses.
        nats = model.log_prob(batch, seed=seed * len(images) + i)
        values.append(np.asarray(nats, np.float64))
    nats = np.concatenate(values)[: len(images)]
    return -nats / (size * math.log(2.0))


def dequantize(images, bins, seed):
    """Adds uniform noise to images, for the other libraries; float32 in [0, 1).

    Args:
        images: integers, `[N, H, W, C]`.
        bins: `int`, number of gray levels.
        seed: `int`, or sequence of them.
    """
    noise = np.random.default_rng(seed).random(images.shape, np.float32)
    return (images.astype(np.float32) + noise) / np.float32(bins)


def _batches(images, batch_size, generator):
    batch_size = batch_size or len(images)
    while True:
        order = generator.permutation(len(images))
        for i in range(0, len(images) - batch_size + 1, batch_size):
            yield images[order[i : i + batch_size]]


def _some(images, num):
    """Returns at most `num` images, always the same."""
    return images[np.random.default_rng(0).permutation(len(images))[:num]]


def _check_samples(model):
    values = np.concatenate(
        [
            np.asarray(model.sample(_AT_A_TIME, seed=i))
            for i in range(_NUM_SAMPLES // _AT_A_TIME)
        ]
    )
    is_finite = np.isfinite(values).reshape([len(values), -1])
    return {
        "num": len(values),
        "share_not_finite": float(np.mean(~is_finite.all(axis=1))),
        "share_of_values_not_finite": float(np.mean(~is_finite)),
    }


def _plain(values):
    """Rounds to six decimals; `None` replaces what JSON cannot hold."""
    if np.ndim(values):
        return [_plain(value) for value in values]
    return round(float(values), 6) if np.isfinite(values) else None


def main():
    # argparse, because the other environments may not have absl.
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="fields of Run, as JSON")
    parser.add_argument("--data", required=True, help=".npz file of images")
    arguments = parser.parse_args()
    with np.load(arguments.data) as file:
        data = dict(file)
    run = Run(**json.loads(arguments.run))
    # The frameworks start one thread for each core that they may use. Runs of
    # different seeds can go side by side.
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[run.seed % len(cores)]})
    result = measure(run, data)
    print(json.dumps(result, allow_nan=False), flush=True)


if __name__ == "__main__":
    main()
