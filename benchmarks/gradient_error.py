# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures rounding errors of the three gradients, by depth and in training.

`python benchmarks/gradient_error.py` trains Glows of photographs of several
depths. At the start, on the way and at the end it compares the float32
gradients of validation batches with each other and with those of a float64
copy: `|g - h| / |h|` over all weights, and the angle between them. It prints
the median over the batches, and in one case the largest. Finished depths are
kept in the file of results.
"""

import itertools
import pathlib
import statistics
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
_NUM_BATCHES = 4


def measure(num_steps, num_filters, measured):
    """Returns lists of differences by training step, mode and reference.

    A list has one difference of gradients for each batch of images.
    """
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
    batches = [
        model.distribution.dequantize(tf.cast(images, tf.float64))
        for images in itertools.islice(
            tfg.datasets.load("photos", "validation", _BATCH_SIZE), _NUM_BATCHES
        )
    ]
    found, done = {}, 0
    for steps in measured:
        if steps > done:
            model.fit(train.repeat(), steps_per_epoch=steps - done, verbose=0)
            done = steps
        compared = [
            tfg.stability.compare_gradients(model.glow, x) for x in batches
        ]
        found[str(steps)] = {
            mode: {
                name: [
                    vars(differences[mode][name]) for differences in compared
                ]
                for name in ("float64", "store")
            }
            for mode in ("store", "invert")
        }
    return found


def main(_):
    logging.set_verbosity(logging.WARNING)
    results = cache.JsonFile(_RESULTS.value)
    names = (
        "store - float64",
        "largest",
        "invert - float64",
        "invert - store",
        "degrees",
    )
    print(f"{'K':>3}{'steps':>7}" + "".join(f"{name:>18}" for name in names))
    for depth in map(int, _DEPTHS.value):
        steps = list(map(int, _STEPS.value))
        listed = ",".join(map(str, steps))
        key = f"K={depth}, W={_NUM_FILTERS.value}, steps {listed}"
        if key not in results:
            results[key] = measure(depth, _NUM_FILTERS.value, steps)
            keras.backend.clear_session()
        for count, found in results[key].items():
            store, invert = found["store"], found["invert"]
            numbers = (
                _median(store["float64"]),
                max(d["relative_distance"] for d in store["float64"]),
                _median(invert["float64"]),
                _median(invert["store"]),
                _median(invert["store"], "angle"),
            )
            line = f"{depth:3}{count:>7}"
            print(line + "".join(f"{n:18.2g}" for n in numbers), flush=True)


def _median(differences, name="relative_distance"):
    return statistics.median(difference[name] for difference in differences)


if __name__ == "__main__":
    app.run(main)
