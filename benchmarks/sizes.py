# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Prints the table of sizes in docs/how_to.md: `python benchmarks/sizes.py`.

Parameters and memory are those that `fit` prints. Times are CPU seconds of the
process, so other work on the machine changes them little.
"""

import re
import time

import numpy as np

import tfp_glow as tfg
from tfp_glow.models import messages

_SIZES = (
    # image shape, L, K, W
    ((8, 8, 1), 2, 8, 64),
    ((32, 32, 3), 3, 8, 64),
    ((32, 32, 3), 3, 8, 128),
    ((32, 32, 3), 3, 8, 512),
    ((32, 32, 3), 3, 32, 64),
    ((64, 64, 3), 3, 8, 64),
    ((64, 64, 3), 4, 32, 64),
    ((128, 128, 3), 5, 8, 64),
)
_BATCH_SIZE = 16
_STEPS = 5


def measure(shape, num_levels, num_steps, num_filters):
    """Returns a row of the table, as strings."""
    model = tfg.GlowModel(
        shape,
        num_levels=num_levels,
        num_steps=num_steps,
        num_filters=num_filters,
        seed=0,
    )
    model.compile(jit_compile=False)
    images = np.random.default_rng(0).integers(0, 256, [_BATCH_SIZE, *shape])
    model.initialize(images)
    model.train_on_batch(images)  # Traces the step.
    start = time.process_time()
    for _ in range(_STEPS):
        model.train_on_batch(images)
    seconds = (time.process_time() - start) / _STEPS
    about = messages.about(model, _BATCH_SIZE)
    parameters, *memory = re.findall(r"([\d,]+) (?:parameters|MiB)", about)
    size = "x".join(map(str, shape))
    sizes = map(str, (num_levels, num_steps, num_filters))
    return [size, *sizes, parameters, *memory, f"{seconds:.2f}"]


def main():
    """Prints the rows, one at a time."""
    for size in _SIZES:
        print(f"| {' | '.join(measure(*size))} |", flush=True)


if __name__ == "__main__":
    main()
