# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares samples of Glows with and without bounds on their networks.

`python benchmarks/finite_samples.py` trains both on the photographs, for some
seeds, and prints a table. Finished runs are kept in the file of results, and
the next call does not repeat them.
"""

import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache

_STEPS = flags.DEFINE_integer("steps", 1000, "training steps")
_SEEDS = flags.DEFINE_integer("seeds", 3, "number of random seeds")
_NUM_SAMPLES = flags.DEFINE_integer(
    "num_samples", 1000, "number of samples of each model"
)
_RESULTS = flags.DEFINE_string(
    "results", "runs/finite_samples.json", "file of results"
)

_KINDS = {
    "bounded": {},
    "not bounded": {"input_bound": None, "output_bound": None},
}


def measure(bounds, seed):
    keras.utils.set_random_seed(seed)
    model = tfg.GlowModel(
        [32, 32, 3],
        num_levels=3,
        num_steps=8,
        num_filters=64,
        seed=seed,
        network=tfg.networks.CouplingNetwork(**bounds),
    )
    model.compile()
    train = tfg.datasets.load("photos", "train", batch_size=32, seed=seed)
    model.fit(
        train.repeat(), steps_per_epoch=_STEPS.value, init_batches=8, verbose=0
    )
    bits = {
        split: model.evaluate(
            tfg.datasets.load("photos", split, batch_size=100), verbose=0
        )[0]
        for split in ("validation", "test")
    }
    # `model.sample` would raise an error if values are not finite.
    flow = tf.function(model.glow.copy(validate_args=False).forward)
    values = np.concatenate(
        [
            flow(tf.random.stateless_normal([100, model.event_size], [0, i]))
            for i in range(-(-_NUM_SAMPLES.value // 100))
        ]
    )
    finite = np.isfinite(values)
    excursions = np.abs(np.where(finite, values, np.inf)).max((1, 2, 3)) / 0.5
    return {
        "bits_per_dim": bits,
        "share_of_values_not_finite": float(np.mean(~finite)),
        "share_of_images_beyond_10_ranges": float(np.mean(excursions > 10)),
        "largest_finite_excursion": float(
            np.abs(values, where=finite, out=np.zeros_like(values)).max() / 0.5
        ),
    }


def main(_):
    logging.set_verbosity(logging.WARNING)
    results = cache.JsonFile(_RESULTS.value)
    print(
        f"{'':12}{'seed':>5}{'validation':>12}{'test':>8}"
        f"{'not finite':>12}{'beyond 10x':>12}{'largest':>10}"
    )
    for seed in range(_SEEDS.value):
        for kind, bounds in _KINDS.items():
            key = f"{kind}, {_STEPS.value} steps, seed {seed}"
            if key not in results:
                results[key] = measure(bounds, seed)
                keras.backend.clear_session()
            result = results[key]
            bits = result["bits_per_dim"]
            print(
                f"{kind:12}{seed:5}{bits['validation']:12.3f}"
                f"{bits['test']:8.3f}"
                f"{result['share_of_values_not_finite']:12.2%}"
                f"{result['share_of_images_beyond_10_ranges']:12.1%}"
                f"{result['largest_finite_excursion']:10.3g}",
                flush=True,
            )


if __name__ == "__main__":
    app.run(main)
