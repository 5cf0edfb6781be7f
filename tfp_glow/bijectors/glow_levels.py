# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The levels of a Glow: their shapes, and their bijectors with variables."""

import collections
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import prefer_static as ps

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import conditional_prior
from tfp_glow.bijectors import glow_steps
from tfp_glow.bijectors import squeeze

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
    _checks.positive_integer(height=height, width=width, channels=channels)
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


def checked_conditioning_shape(conditioning_size, image_shape):
    """`(D,)`, `(H, W, D)` or `None`; `ValueError` if it is none of them."""
    if conditioning_size is None:
        return None
    shape = conditioning_size
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    shape = tuple(shape)
    if len(shape) not in (1, 3) or (
        len(shape) == 3 and shape[:2] != image_shape[:2]
    ):
        raise ValueError(
            "Invalid value received for argument `conditioning_size`. Expected "
            "an integer, the size of vectors, or (H, W, D), the shape of "
            f"images as high and wide as {image_shape}. Received: "
            f"conditioning_size={conditioning_size}"
        )
    _checks.positive_integer(conditioning_size=shape[-1])
    return shape


def conditioning_sizes(conditioning_shape, num_levels):
    """The conditioning's channels at every level, or `None` for every one."""
    if conditioning_shape is None:
        return [None] * num_levels
    if len(conditioning_shape) == 1:
        return [*conditioning_shape] * num_levels
    return [conditioning_shape[-1] * 4 ** (i + 1) for i in range(num_levels)]


def conditioning_of_levels(glow, conditioning, batch_shape):
    """What the conditioning is at every level, one event after another.

    Images are squeezed as the flow's own are, so that nothing of them is lost.

    Args:
        glow: `Glow`, whose conditioning it is.
        conditioning: `[..., D]` or `[..., H, W, D]`, or `None`.
        batch_shape: the batch shape of what is transformed.

    Returns:
        A list of tensors `[N, D]` or `[N, H, W, D]`, or of `None`.
    """
    shape = glow.conditioning_shape
    if (shape is None) != (conditioning is None):
        expected = (
            "none" if shape is None else f"[..., {', '.join(map(str, shape))}]"
        )
        received = None if conditioning is None else np.shape(conditioning)
        raise ValueError(
            f"Invalid conditioning of `{glow.name}`. Expected {expected}. "
            f"Received: {received}"
        )
    if shape is None:
        return [None] * glow.num_levels
    conditioning = tf.cast(conditioning, glow.dtype)
    event_ndims = len(shape)
    _checks.event(
        glow, conditioning.shape[-event_ndims:], tf.TensorShape(shape)
    )
    num_batch_dims = ps.rank_from_shape(batch_shape)
    if (conditioning.shape.rank, num_batch_dims) != (event_ndims + 1, 1):
        conditioning = tf.broadcast_to(
            conditioning, ps.concat([batch_shape, shape], axis=0)
        )
    conditioning = _tf.flatten_batch(conditioning, event_ndims)
    levels = []
    for _ in range(glow.num_levels):
        if event_ndims == 3:
            conditioning = squeeze.Squeeze().forward(conditioning)
        levels.append(conditioning)
    return levels


def make_levels(
    event_shapes,
    seed,
    dtype,
    conditioning_sizes,
    conditioned,
    learn_split_priors,
    learn_top_prior,
    network_arguments,
    **steps,
):
    """Makes the bijectors of every level, with fresh variables.

    Args:
        event_shapes: what `level_shapes` returns.
        seed, dtype, conditioned, learn_split_priors, learn_top_prior: as in
            `Glow`.
        conditioning_sizes: what the function of that name returns.
        network_arguments: dictionary of arguments of every network.
        **steps: further arguments of `glow_steps.make_steps`.

    Returns:
        Tuple of `Level`.
    """
    levels = []
    seeds = np.random.SeedSequence(seed).spawn(len(event_shapes))
    for i, (shape, level_seed) in enumerate(zip(event_shapes, seeds)):
        is_top = i == len(event_shapes) - 1
        size = conditioning_sizes[i]
        with tf.name_scope(f"level_{i}"):
            level_steps = glow_steps.make_steps(
                shape,
                seed=level_seed,
                dtype=dtype,
                network_arguments=dict(
                    network_arguments,
                    conditioning_size=size if conditioned == "all" else None,
                ),
                **steps,
            )
            with tf.name_scope("prior"):
                prior = tfb.Identity()
                if is_top and learn_top_prior:
                    prior = _make_top_prior(shape, size, dtype)
                elif not is_top and learn_split_priors:
                    prior = _make_split_prior(
                        shape,
                        dtype,
                        dict(network_arguments, conditioning_size=size),
                    )
        levels.append(Level(steps=level_steps, prior=prior))
    return tuple(levels)


def _make_split_prior(shape, dtype, network_arguments):
    """Normalises the second half of the channels given the first half."""
    half = shape[-1] // 2
    layer = networks.PriorNetwork(
        2 * half,
        kernel_size=3,
        name="network",
        **network_arguments,
    )
    layer.build((None, *shape[:-1], half))
    return affine_coupling.AffineCoupling(
        layer, scale="exp", dtype=dtype, name="split_prior"
    )


def _make_top_prior(shape, conditioning_size, dtype):
    """Normalises every element by a mean and a scale of its own."""
    zeros = tf.zeros(shape, dtype)
    log_scale = tf.Variable(zeros, name="log_scale")
    shift = tf.Variable(zeros, name="shift")
    if conditioning_size is None:
        return tfb.Chain(
            [tfb.Scale(log_scale=log_scale), tfb.Shift(shift)],
            name="top_prior",
        )
    kernel = tf.zeros([conditioning_size, 2 * shape[-1]], dtype)
    return conditional_prior.ConditionalPrior(
        shift, log_scale, tf.Variable(kernel, name="conditioning_kernel")
    )
