# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The inputs of an exported program, small enough to copy to a GPU.

The kernels of convolutions, nearly all of a model's weights, are replaced by
noise of their mean and standard deviation, of which a file need say no more.
Needs NumPy alone.
"""

import json

import numpy as np


def is_kernel(array):
    """Whether a variable is a kernel of a convolution, or of all steps."""
    return array.ndim >= 4


def describe(kernel, seed):
    """Returns the arguments of `draw` that replace a kernel."""
    return {
        "shape": list(kernel.shape),
        "mean": float(kernel.mean()),
        "std": float(kernel.std()),
        "seed": seed,
    }


def draw(shape, mean, std, seed):
    """Returns a float32 array of normal noise, the same on every machine."""
    generator = np.random.default_rng(seed)
    values = generator.standard_normal(shape, np.float32)
    return np.float32(mean) + np.float32(std) * values


def load(folder):
    """Reads the inputs in the order of the program.

    Args:
        folder: `pathlib.Path`, of `inputs.npz`, with arrays by their number,
            and of `kernels.json`, with the arguments of `draw` of the others.

    Returns:
        List of arrays.
    """
    kernels = json.loads((folder / "kernels.json").read_text())
    drawn = {int(i): draw(**kernel) for i, kernel in kernels.items()}
    with np.load(folder / "inputs.npz") as archive:
        kept = {int(i): archive[i] for i in archive.files}
    inputs = drawn | kept
    return [inputs[i] for i in range(len(inputs))]
