# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The levels of a Glow: their shapes, and their bijectors with variables."""

import collections
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import checks
from tfp_glow import networks
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import glow_steps

tfb = tfp.bijectors

# `steps`: a `Repeated`, data towards latent. `prior`: the bijector that normalises
# what leaves at this level.
Level = collections.namedtuple("Level", ["steps", "prior"])


def level_shapes(image_shape, num_levels):
    """Event shapes inside each level, after its squeeze."""
    height, width, channels = image_shape
    return [
        (height >> i, width >> i, channels << (i + 1))
        for i in range(1, num_levels + 1)
    ]


def checked_image_shape(image_shape, num_levels):
    """The shape as a tuple; `ValueError` if it cannot be halved so often."""
    image_shape = tuple(image_shape)
    if len(image_shape) != 3:
        raise ValueError(
            "Invalid value received for argument `image_shape`. Expected "
            f"(height, width, channels). Received: image_shape={image_shape}"
        )
    height, width, channels = image_shape
    checks.positive_integer(height=height, width=width, channels=channels)
    multiple = 2**num_levels
    if height % multiple or width % multiple:
        below, above = (
            tuple(
                max(round_(n / multiple), 1) * multiple for n in (height, width)
            )
            for round_ in (math.floor, math.ceil)
        )
        near = f"{below} or {above}" if below != above else f"{above}"
        raise ValueError(
            "Invalid value received for argument `image_shape`. Expected a "
            f"height and a width divisible by 2**num_levels={multiple}, for "
            f"instance {near}. Received: image_shape={image_shape}, "
            f"num_levels={num_levels}"
        )
    return image_shape


def make_levels(event_shapes, seed, dtype, network, **steps):
    """Makes the bijectors of every level, with fresh variables.

    Args:
        event_shapes: what `level_shapes` returns.
        seed, dtype: as in `Glow`.
        network: dictionary of arguments of every network.
        **steps: further arguments of `glow_steps.make_steps`.

    Returns:
        Tuple of `Level`.
    """
    levels = []
    seeds = np.random.SeedSequence(seed).spawn(len(event_shapes))
    for i, (shape, level_seed) in enumerate(zip(event_shapes, seeds)):
        is_top = i == len(event_shapes) - 1
        with tf.name_scope(f"level_{i}"):
            level_steps = glow_steps.make_steps(
                shape, seed=level_seed, dtype=dtype, network=network, **steps
            )
            with tf.name_scope("prior"):
                prior = (
                    _make_top_prior(shape, dtype)
                    if is_top
                    else _make_split_prior(shape, dtype, network)
                )
        levels.append(Level(steps=level_steps, prior=prior))
    return tuple(levels)


def _make_split_prior(shape, dtype, network):
    """Normalises the second half of the channels given the first half."""
    half = shape[-1] // 2
    layer = networks.PriorNetwork(
        2 * half,
        kernel_size=3,
        name="network",
        **network,
    )
    layer.build((None, *shape[:-1], half))
    return affine_coupling.AffineCoupling(
        layer, scale="exp", dtype=dtype, name="split_prior"
    )


def _make_top_prior(shape, dtype):
    """Normalises every element by a mean and a scale of its own."""
    zeros = tf.zeros(shape, dtype)
    return tfb.Chain(
        [
            tfb.Scale(log_scale=tf.Variable(zeros, name="log_scale")),
            tfb.Shift(tf.Variable(zeros, name="shift")),
        ],
        name="top_prior",
    )
