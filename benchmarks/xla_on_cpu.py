# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Times training steps with and without XLA on a CPU.

`python benchmarks/xla_on_cpu.py` trains the default model of images of several
sizes in batches of 32. The two models of a size take steps in turn, so both see
the same machine. It prints medians in milliseconds, and the seconds of the first
step, which contains tracing and compilation.
"""

import pathlib
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from absl import app
from absl import flags

import tfp_glow as tfg

_STEPS = flags.DEFINE_integer("steps", 60, "steps of each model")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "images of a batch")

_SHAPES = [(8, 8, 1), (16, 16, 1), (16, 16, 3), (32, 32, 1), (32, 32, 3)]


def measure(shape):
    """Returns seconds of the first step and of later ones, without and with."""
    images = np.random.default_rng(0).integers(
        0, 256, [_BATCH_SIZE.value, *shape]
    )
    models, first, times = [], [], [[], []]
    for jit_compile in (False, True):
        model = tfg.GlowModel(shape, seed=0)
        model.compile(jit_compile=jit_compile)
        model.initialize(images)
        start = time.perf_counter()
        model.train_on_batch(images)
        first.append(time.perf_counter() - start)
        models.append(model)
    for _ in range(_STEPS.value):
        for model, spent in zip(models, times):
            start = time.perf_counter()
            model.train_on_batch(images)
            spent.append(time.perf_counter() - start)
    return first, [1e3 * statistics.median(spent) for spent in times]


def main(argv):
    del argv
    print("image     first step, s     step, ms         ratio")
    print("          TF      XLA      TF      XLA")
    for shape in _SHAPES:
        first, step = measure(shape)
        print(
            f"{'x'.join(map(str, shape)):8}{first[0]:6.1f}{first[1]:9.1f}"
            f"{step[0]:9.1f}{step[1]:9.1f}{step[1] / step[0]:9.2f}",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
