# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""A tiny explorer, which tests share because making it takes seconds."""

import base64
import functools
import io

import numpy as np
import PIL.Image

import tfp_glow as tfg
from tfp_glow import explorer
from tfp_glow.explorer import states

BINS = 17
CLASSES = 3


def data(num=60):
    """Images [num, 8, 8, 1] of a block of ink, and their labels."""
    random = np.random.default_rng(0)
    images = np.zeros([num, 8, 8, 1], np.int32)
    labels = random.integers(CLASSES, size=num)
    for image, label in zip(images, labels):
        top, height = random.integers(1, 3), random.integers(3, 5)
        ink = random.integers(8, BINS, [height, 2 + label, 1])
        image[top : top + height, 2 : 4 + label] = ink
    return images, labels


@functools.cache
def model():
    """A class-conditional model of two levels, untrained."""
    result = tfg.GlowModel(
        [8, 8, 1],
        bins=BINS,
        num_classes=CLASSES,
        num_levels=2,
        num_steps=1,
        num_filters=4,
        seed=0,
    )
    # Weights that are not those of the start, at which labels change nothing.
    random = np.random.default_rng(1)
    result.initialize(*data())
    result.set_weights(
        [
            w + 0.02 * random.standard_normal(w.shape) * (w.dtype.kind == "f")
            for w in result.get_weights()
        ]
    )
    return result


@functools.cache
def tiny():
    """The explorer of `model`."""
    return explorer.Explorer(model(), data(), data(), "blocks")


def state(**changes):
    """A state, with random latents, that needs no model."""
    numbers = np.random.default_rng(2).standard_normal(64)
    made = states.State(numbers, [0.7, 0.7], 0, {})
    return {**made.to_dict(), **changes}


def latent(state):
    """The numbers of a state's latent."""
    return np.frombuffer(base64.b64decode(state["latent"]), "<f8")


def pixels(address):
    """The bytes of a PNG in a `data:` address, as an array."""
    head, data = address.split(",")
    assert head == "data:image/png;base64"
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(data))))


def to_pixels(levels):
    """Gray levels [8, 8, 1] as the bytes of a picture."""
    levels = np.clip(np.round(levels), 0, BINS - 1)[..., 0]
    return np.round(levels * 255.0 / (BINS - 1)).astype(np.uint8)


def file(image, kind="PNG", **options):
    """A file of a Pillow image, in base64."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return base64.b64encode(stream.getvalue()).decode()
