# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Measures the memory of training on photographs of 256x256, one at a time.

`python -m benchmarks.large_images` trains a Glow with 6 levels of 32 steps for
a few training steps, with each of the gradients in a process of its own. It
prints the seconds per step and the peak of resident memory. It takes about ten
minutes on two CPU cores with a width of 64. The width of the paper,
`--num_filters=512`, takes longer.
"""

import json
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import skimage.data
import tensorflow as tf
from absl import app
from absl import flags

import tfp_glow as tfg
from benchmarks import compare_case
from tfp_glow.bijectors import gradients

_GRADIENT = flags.DEFINE_enum(
    "gradient",
    None,
    list(gradients.GRADIENTS),
    "gradient to measure (default: all)",
)
_NUM_STEPS = flags.DEFINE_integer("num_steps", 32, "steps per level, K")
_NUM_LEVELS = flags.DEFINE_integer("num_levels", 6, "number of levels, L")
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 64, "width of the networks, W"
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 256, "side length of the images"
)
_STEPS = flags.DEFINE_integer("steps", 10, "training steps")


class _Times(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.seconds, self.losses = [], []

    def on_train_batch_begin(self, batch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter() - self._start)
        self.losses.append(float(logs["loss"]))


def _photographs(size):
    """Returns the centers of four photographs, uint8 `[4, size, size, 3]`."""
    images = []
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        image = getattr(skimage.data, name)()
        top, left = ((length - size) // 2 for length in image.shape[:2])
        images.append(image[top : top + size, left : left + size])
    return np.stack(images)


def measure(gradient):
    """Trains a model and returns a dictionary of measurements."""
    size = _IMAGE_SIZE.value
    imports = compare_case.resident_mib()
    compare_case.forget_peak()
    model = tfg.GlowModel(
        [size, size, 3],
        num_levels=_NUM_LEVELS.value,
        num_steps=_NUM_STEPS.value,
        num_filters=_NUM_FILTERS.value,
        initialization="normalize",
        gradient=gradient,
        seed=0,
    )
    # The rate rises during all steps. Without warm-up the first ones diverge.
    schedule = tfg.recipe.make_schedule(1e-4, warmup_steps=_STEPS.value)
    model.compile(keras.optimizers.Adam(schedule, global_clipnorm=100.0))
    photographs = tf.data.Dataset.from_tensor_slices(_photographs(size))
    times = _Times()
    model.fit(
        photographs.batch(1).repeat().take(_STEPS.value),
        init_batches=4,
        callbacks=[times],
        verbose=0,
    )
    return {
        "step": statistics.median(times.seconds[1:]),
        "imports": imports,
        "peak": compare_case.peak_mib(),
        "weights": sum(v.shape.num_elements() for v in model.glow.variables),
        "losses": [times.losses[0], times.losses[-1]],
    }


def main(_):
    if _GRADIENT.value:
        print(json.dumps(measure(_GRADIENT.value)))
        return
    print(f"{'':10}{'s a step':>9}{'peak MiB':>10}{'weights':>13}  bits/dim")
    for gradient in reversed(gradients.GRADIENTS):
        command = [sys.executable, "-m", "benchmarks.large_images"]
        process = subprocess.run(
            [*command, f"--gradient={gradient}", *sys.argv[1:]],
            stdout=subprocess.PIPE,
            check=False,
        )
        if process.returncode:
            print(f"{gradient:10}failed, exit status {process.returncode}")
            continue
        found = json.loads(process.stdout.splitlines()[-1])
        first, last = found["losses"]
        print(
            f"{gradient:10}{found['step']:9.2f}{found['peak']:10,.0f}"
            f"{found['weights']:13,}  {first:.2f} to {last:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
