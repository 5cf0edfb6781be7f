# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The inputs of an exported program, small enough to copy to a GPU.

The kernels of convolutions, nearly all of a model's weights, are noise, of which
a file needs to say only the mean, the standard deviation and the random seed.
Needs NumPy alone.
"""

import json

import numpy as np


def is_kernel(array):
    """Whether a variable is a kernel of a convolution, or of all steps."""
    return array.ndim >= 4


def replace(kernel, seed):
    """Replaces a `tf.Variable` by noise of its mean and standard deviation.

    Returns the arguments of `draw`.
    """
    values = kernel.numpy()
    description = {
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "std": float(values.std()),
        "seed": seed,
    }
    kernel.assign(draw(**description))
    return description


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


def batches(photographs, shape, num_batches, seed=0):
    """Yields batches of dequantized crops, float32 `[N, size, size, 3]`.

    Args:
        photographs: list of uint8 arrays `[H, W, 3]`.
        shape: `(N, size)`.
        num_batches: `int`.
        seed: `int`.
    """
    random = np.random.default_rng(seed)
    num_images, size = shape
    for _ in range(num_batches):
        crops = np.empty((num_images, size, size, 3), np.float32)
        for crop in crops:
            photograph = photographs[random.integers(len(photographs))]
            height, width, _ = photograph.shape
            top = random.integers(height - size + 1)
            left = random.integers(width - size + 1)
            crop[:] = photograph[top : top + size, left : left + size]
        noise = random.random(crops.shape, np.float32)
        yield (crops + noise) / np.float32(256.0) - np.float32(0.5)
