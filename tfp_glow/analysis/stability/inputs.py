# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Inputs by name: data, samples, and images that no photograph resembles."""

from typing import NamedTuple

import numpy as np

TEXTURES = ("brick", "grass", "gravel")
_TEXTURE_SIZE = 128  # Pixels of a texture that are shrunk to an image.


class Input(NamedTuple):
    """Images of one kind, integers `[N, H, W, C]`, and their conditioning.

    `share_not_finite` is that of the values of samples, which are 0 instead.
    """

    images: np.ndarray
    conditioning: np.ndarray | None
    share_not_finite: float = 0.0


def make(model, flow, images, conditioning, num_images, temperatures, seed):
    """Returns a dictionary of names to `Input`s.

    | name | images |
    |---|---|
    | `"data"` | those given |
    | `"samples, T = 0.7"` | the model's, at a temperature |
    | `"constant 0"`, `"constant max"` | one image, all values the same |
    | `"uniform"` | every gray level equally likely |
    | `"Gaussian"` | normal noise around the middle, deviation a quarter of the range |
    | `"Rademacher"` | every value the least or the largest, at random |
    | `"checkerboard"` | both checkerboards of single pixels |
    | `"brick"`, `"grass"`, `"gravel"` | textures of scikit-image, parts shrunk to the size |

    `flow` is the model's `Flow`, which draws the samples. Rows of the conditioning
    are used in turn.
    """
    random = np.random.default_rng(seed)
    shape, top = tuple(model.image_shape), model.bins - 1

    def given(count):
        if conditioning is None:
            return None
        return np.take(conditioning, range(count), axis=0, mode="wrap")

    size = (num_images, *shape)
    samples = {}
    for temperature in temperatures:
        samples[f"samples, T = {temperature:g}"] = _samples(
            model, flow, temperature, given(num_images), num_images, random
        )
    parity = np.indices(shape[:2]).sum(0)[..., np.newaxis] % 2
    board = np.broadcast_to(parity, shape)
    normal = random.normal(top / 2, top / 4, size)
    odd = {
        "constant 0": np.zeros([1, *shape]),
        "constant max": np.full([1, *shape], top),
        "uniform": random.integers(top + 1, size=size),
        "Gaussian": np.clip(np.round(normal), 0, top),
        "Rademacher": top * random.integers(2, size=size),
        "checkerboard": top * np.stack([board, 1 - board]),
        **{name: _texture(name, size, top, random) for name in TEXTURES},
    }
    found = {
        name: Input(np.asarray(values, np.int32), given(len(values)))
        for name, values in odd.items()
    }
    data = Input(np.asarray(images, np.int32), conditioning)
    return {"data": data, **samples, **found}


def _samples(model, flow, temperature, conditioning, count, random):
    noise = temperature * random.normal(size=[count, model.event_size])
    kwargs = model.conditioning_kwargs(conditioning)
    # The model's own method would raise an error if values are not finite.
    sampled = flow.decode(noise, **kwargs.get("bijector_kwargs", {})).numpy()
    is_finite = np.isfinite(sampled)
    sampled = model.distribution.quantize(np.where(is_finite, sampled, -0.5))
    return Input(sampled.numpy(), conditioning, float(np.mean(~is_finite)))


def _texture(name, size, top, random):
    import skimage.data
    import skimage.transform

    whole = getattr(skimage.data, name)() / 255.0
    count, height, width, _ = size
    shrunk = []
    for _ in range(count):
        row, column = (
            random.integers(n - _TEXTURE_SIZE + 1) for n in whole.shape
        )
        part = whole[row : row + _TEXTURE_SIZE, column : column + _TEXTURE_SIZE]
        shrunk.append(
            skimage.transform.resize(part, (height, width), anti_aliasing=True)
        )
    levels = np.round(top * np.clip(shrunk, 0.0, 1.0))
    return np.broadcast_to(levels[..., np.newaxis], size)
