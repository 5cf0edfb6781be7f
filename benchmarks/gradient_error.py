# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures rounding errors of the three gradients, by depth and in training.

`python benchmarks/gradient_error.py` trains Glows of photographs of several
depths. At the start, on the way and at the end it compares the float32
gradients of a validation batch with each other and with those of a float64
copy: `|g - h| / |h|` over all weights, and the angle between them. Finished
depths are kept in the file of results.
"""

import pathlib
import sys

import keras
import tensorflow as tf
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg
from benchmarks import cache

_STEPS = flags.DEFINE_list(
    "steps", ["0", "300", "1000"], "training steps at which to measure"
)
_DEPTHS = flags.DEFINE_list(
    "depths", ["4", "8", "16", "32", "64"], "steps per level, K"
)
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 32, "width of the networks, W"
)
_RESULTS = flags.DEFINE_string(
    "results", "runs/gradient_error.json", "file of results"
)
_BATCH_SIZE = 16


def measure(num_steps, num_filters, measured):
    """Returns the differences of gradients by training step and mode."""
    keras.utils.set_random_seed(0)
    model = tfg.GlowModel(
        [32, 32, 3],
        num_levels=3,
        num_steps=num_steps,
        num_filters=num_filters,
        initialization="normalize",
        gradient="store",
        seed=0,
    )
    schedule = tfg.recipe.make_schedule(1e-3, warmup_steps=100)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=100.0))
    train = tfg.datasets.load("photos", "train", _BATCH_SIZE, seed=0)
    model.initialize(next(iter(train)))
    images = next(iter(tfg.datasets.load("photos", "validation", _BATCH_SIZE)))
    values = model.distribution.dequantize(tf.cast(images, tf.float64))
    found, done = {}, 0
    for steps in measured:
        if steps > done:
            model.fit(train.repeat(), steps_per_epoch=steps - done, verbose=0)
            done = steps
        compared = tfg.stability.compare_gradients(model.glow, values)
        found[str(steps)] = {
            mode: {name: vars(value) for name, value in differences.items()}
            for mode, differences in compared.items()
        }
    return found


def main(_):
    logging.set_verbosity(logging.WARNING)
    results = cache.JsonFile(_RESULTS.value)
    names = ("store - float64", "invert - float64", "invert - store", "degrees")
    print(f"{'K':>3}{'steps':>7}" + "".join(f"{name:>18}" for name in names))
    for depth in map(int, _DEPTHS.value):
        steps = list(map(int, _STEPS.value))
        listed = ",".join(map(str, steps))
        key = f"K={depth}, W={_NUM_FILTERS.value}, steps {listed}"
        if key not in results:
            results[key] = measure(depth, _NUM_FILTERS.value, steps)
            keras.backend.clear_session()
        for count, found in results[key].items():
            numbers = (
                found["store"]["float64"]["relative_distance"],
                found["invert"]["float64"]["relative_distance"],
                found["invert"]["store"]["relative_distance"],
                found["invert"]["store"]["angle"],
            )
            line = f"{depth:3}{count:>7}"
            print(line + "".join(f"{n:18.2g}" for n in numbers), flush=True)


if __name__ == "__main__":
    app.run(main)
