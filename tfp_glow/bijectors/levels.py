# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The levels of a Glow: shapes, conditioning, priors and variables."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import affine_coupling
from tfp_glow.bijectors import gradients
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import radial
from tfp_glow.bijectors import repeated
from tfp_glow.bijectors import squeeze
from tfp_glow.bijectors import steps
from tfp_glow.bijectors import tails


class Prior(joint.JointBijector):
    """Standardizes the channels that leave the flow at a level.

    ```none
    h, x = split(affine(channels))
    z = radial(tails(x))
    ```

    The channels `h`, which go on to the next level, stay the same.
    """

    def __init__(self, affine, tails, radial, name="prior"):
        """Makes the bijector.

        Args:
            affine: `JointBijector` that shifts and scales the last channels,
                which leave, and keeps the others.
            tails: `Tails` of the channels that leave.
            radial: `RadialGaussianization` of these channels.
            name: `str`.
        """
        parameters = dict(locals())
        self.affine = affine
        self.tails = tails
        self.radial = radial
        super().__init__(
            forward_min_event_ndims=3,
            dtype=affine.dtype,
            parameters=parameters,
            name=name,
        )

    def forward_and_log_det(self, x, **kwargs):
        x, log_det = self.affine.forward_and_log_det(x, **kwargs)
        h, x = self._split(x)
        for bijector in (self.tails, self.radial):
            x, more = bijector.forward_and_log_det(x)
            log_det += more
        return tf.concat([h, x], axis=-1), log_det

    def inverse_and_log_det(self, y, **kwargs):
        h, x = self._split(y)
        x, log_det = self.radial.inverse_and_log_det(x)
        x, more = self.tails.inverse_and_log_det(x)
        log_det += more
        x = tf.concat([h, x], axis=-1)
        x, more = self.affine.inverse_and_log_det(x, **kwargs)
        return x, log_det + more

    def _split(self, x):
        num_leaving = self.tails.log_tail.shape[0]
        sizes = [x.shape[-1] - num_leaving, num_leaving]
        return tf.split(x, sizes, axis=-1)


class Level(NamedTuple):
    """The bijectors of a level, which map data towards latents.

    The prior standardizes the channels that leave the flow at this level.
    """

    steps: repeated.Repeated
    prior: Prior


class TopPrior(joint.JointBijector):
    """Shifts and scales every element of the last level.

    ```none
    m, r = conditioning conditioning_kernel, or zeros
    y = exp(log_scale + r) * (x + shift + m)
    ```

    `shift` and `log_scale` are `[H, W, C]`, and `conditioning_kernel` is
    `[D, 2 * C]`. In the paper's code, `model.py`, `prior`, they are per channel.
    """

    def __init__(
        self, shift, log_scale, conditioning_kernel=None, name="top_prior"
    ):
        parameters = dict(locals())
        self._shift = shift
        self._log_scale = log_scale
        self._conditioning_kernel = conditioning_kernel
        super().__init__(
            forward_min_event_ndims=3,
            dtype=shift.dtype,
            parameters=parameters,
            name=name,
        )

    def forward_and_log_det(self, x, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(x, conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(log_scale) * (x + shift), log_det

    def inverse_and_log_det(self, y, conditioning=None):
        shift, log_scale = self._shift_and_log_scale(y, conditioning)
        log_det = tf.reduce_sum(log_scale, axis=[-3, -2, -1])
        return tf.exp(-log_scale) * y - shift, -log_det

    def _shift_and_log_scale(self, x, conditioning):
        shift = tf.convert_to_tensor(self._shift)
        log_scale = tf.convert_to_tensor(self._log_scale)
        if self._conditioning_kernel is None:
            return shift, log_scale
        kernel = tf.convert_to_tensor(self._conditioning_kernel)
        more = tf.cast(conditioning, kernel.dtype) @ kernel
        if more.shape.rank == 2:
            more = more[:, tf.newaxis, tf.newaxis, :]
        m, r = tf.split(_tf.restore_batch(more, x, 3), 2, axis=-1)
        return shift + m, log_scale + r


def level_shapes(image_shape, num_levels):
    """Returns the event shapes inside each level, after its squeeze."""
    height, width, channels = image_shape
    return [
        (height >> i, width >> i, channels << (i + 1))
        for i in range(1, num_levels + 1)
    ]


def default_num_levels(image_shape):
    """Returns up to 3 levels that leave at least 2 x 2 pixels at the top."""
    height, width, _ = checked_image_shape(image_shape, 0)
    divisor = math.gcd(height, width)
    for levels in (3, 2):
        if divisor % 2**levels == 0 and min(height, width) > 2**levels:
            return levels
    return 1


def checked_image_shape(image_shape, num_levels):
    """Returns the shape as a tuple, if it can be halved `num_levels` times."""
    expected = "(height, width, channels), positive integers"
    height, width, channels = _checks.shape(
        "image_shape", image_shape, expected, ranks=[3]
    )
    # Larger powers of 2 than this divide no size of an image.
    multiple = 2 ** min(num_levels, 62)
    if height % multiple or width % multiple:
        near = {
            tuple(max(r(n / multiple), 1) * multiple for n in (height, width))
            for r in (math.floor, math.ceil)
        }
        raise _checks.invalid_value(
            "image_shape",
            (height, width, channels),
            f"a height and a width divisible by 2**num_levels={multiple}, for "
            f"instance {' or '.join(map(str, sorted(near)))}",
        )
    _checks.memory(4 * height * width * channels, "an image in memory")
    return height, width, channels


def checked_conditioning_shape(conditioning_size, image_shape):
    """Returns `(D,)`, `(H, W, D)` or `None` for an argument of `Glow`."""
    if conditioning_size is None:
        return None
    shape = conditioning_size
    shape = tuple(shape) if np.ndim(shape) else (shape,)
    if len(shape) not in (1, 3) or (
        len(shape) == 3 and shape[:2] != image_shape[:2]
    ):
        raise _checks.invalid_value(
            "conditioning_size",
            conditioning_size,
            "an integer, the size of vectors, or (H, W, D), the shape of "
            f"images as high and wide as {image_shape}",
        )
    [size] = _checks.positive_integer(conditioning_size=shape[-1])
    return (*image_shape[:2], size) if len(shape) == 3 else (size,)


def keyword_arguments(glow, conditioning):
    """Returns the keyword arguments of every level's steps and of its prior.

    They hold the conditioning, `[N, D]` or `[N, H, W, D]`, if it is not `None`.
    Images are squeezed like those of the flow, so that they lose no information.
    """
    if conditioning is None:
        return [({}, {})] * glow.num_levels
    found = []
    for _ in range(glow.num_levels):
        if conditioning.shape.rank == 4:
            conditioning = squeeze.Squeeze().forward(conditioning)
        for_prior = {"conditioning": conditioning}
        is_for_steps = glow.parameters["conditioned"] == "all"
        found.append((for_prior if is_for_steps else {}, for_prior))
    return found


def scale_latents(glow, latents, temperature):
    """Multiplies latents by a temperature where lengths are those of images.

    The radial Gaussianization of the priors maps latents of many contrasts to
    nearly one length. Latents of 0.7 times that length would be those of far
    less than 0.7 times the contrast. So the temperature multiplies what the
    Gaussianization is given. A temperature of 1 changes nothing.

    Args:
        glow: `Glow`.
        latents: floating `Tensor` of shape `[..., D]`.
        temperature: non-negative `Tensor` that broadcasts to `latents`.
    """
    temperature = tf.cast(temperature, latents.dtype)
    temperature = tf.broadcast_to(temperature, tf.shape(latents))
    parts = map(glow.split_latents, (latents, temperature))
    scaled = []
    for level, z, factor in zip(glow._levels, *parts):
        x, _ = level.prior.radial.inverse_and_log_det(z)
        z, _ = level.prior.radial.forward_and_log_det(factor * x)
        scaled.append(z)
    return tf.where(temperature == 1.0, latents, glow.merge_latents(scaled))


def description(glow):
    """Returns what `repr` tells of a `Glow`."""
    names = ("num_levels", "num_steps", "num_filters", "coupling")
    told = {"image_shape": glow.image_shape}
    told |= {name: glow.parameters[name] for name in names}
    told["num_levels"] = glow.num_levels
    told["latent_shapes"] = glow.latent_shapes
    told["parameters_by_level"] = [
        sum(v.shape.num_elements() for part in level for v in part.variables)
        for level in glow.parameters["levels"]
    ]
    told = " ".join(f"{name}={value}" for name, value in told.items())
    return f"<tfp_glow.Glow {glow.name!r} {told}>"


def make_levels(
    image_shape,
    num_levels,
    conditioning_shape,
    conditioned,
    seed,
    dtype,
    network,
    **arguments,
):
    """Makes a tuple of `Level`s with new variables; see `Glow`.

    The other `arguments` are those of `steps.make_steps`.
    """
    levels = []
    seeds = np.random.SeedSequence(_tf.known_seed(seed)).spawn(num_levels)
    sizes = _conditioning_sizes(conditioning_shape, num_levels)
    for i, shape in enumerate(level_shapes(image_shape, num_levels)):
        with tf.name_scope(f"level_{i}"):
            level_steps = steps.make_steps(
                shape,
                seed=seeds[i],
                dtype=dtype,
                network=network,
                conditioning_size=sizes[i] if conditioned == "all" else None,
                name=f"level_{i}",
                **arguments,
            )
            with tf.name_scope("prior"):
                prior = _make_prior(
                    shape, i == num_levels - 1, sizes[i], dtype, network
                )
        levels.append(Level(steps=level_steps, prior=prior))
    return tuple(levels)


def configured(levels, image_shape, gradient, num_filters, validate_args):
    """Returns `Level`s of the same variables, whose loops run as told.

    For the arguments see `Glow`.
    """
    any_steps = levels[0].steps
    num_bytes = gradients.stored_bytes(
        level_shapes(image_shape, len(levels)),
        any_steps.num_steps,
        num_filters,
        any_steps.dtype,
    )
    gradient = gradients.choose(gradient, num_bytes)
    return copies(levels, gradient=gradient, validate_args=validate_args)


def copies(levels, **changes):
    """Returns `Level`s of the same variables, with changed `steps`."""
    return tuple(
        level._replace(steps=level.steps.copy(**changes)) for level in levels
    )


def activation_bytes(glow):
    """Returns about how many bytes a training step of a `Glow` keeps of an image."""
    steps = glow.steps(0)
    num_bytes = gradients.stored_bytes(
        level_shapes(glow.image_shape, glow.num_levels),
        steps.num_steps,
        glow.parameters["num_filters"],
        steps.dtype,
    )
    # Other gradients keep what one step at a time has computed.
    return num_bytes // (1 if steps.gradient == "store" else steps.num_steps)


def _conditioning_sizes(conditioning_shape, num_levels):
    """Returns the conditioning's channels at every level, or `None`s."""
    if conditioning_shape is None:
        return [None] * num_levels
    if len(conditioning_shape) == 1:
        return [*conditioning_shape] * num_levels
    return [conditioning_shape[-1] * 4 ** (i + 1) for i in range(num_levels)]


def _make_prior(shape, is_top, conditioning_size, dtype, network):
    num_leaving = shape[-1]
    if is_top:
        affine = _make_top_prior(shape, conditioning_size, dtype)
    else:
        num_leaving //= 2
        affine = _make_split_prior(shape, conditioning_size, dtype, network)
    log_tail = tf.Variable(tf.zeros([num_leaving], dtype), name="log_tail")
    num_slopes = len(radial.neighborhoods(*shape[:2]))
    log_slopes = tf.Variable(tf.zeros([num_slopes], dtype), name="log_slopes")
    return Prior(
        affine,
        tails.Tails(log_tail),
        radial.RadialGaussianization(log_slopes),
    )


def _make_split_prior(shape, conditioning_size, dtype, network):
    """Makes a bijector that normalizes half of the channels given the rest."""
    half = shape[-1] // 2
    layer = networks.make_prior_network(
        network,
        num_outputs=2 * half,
        spatial_shape=shape[:-1],
        conditioning_size=conditioning_size,
        dtype=tf.as_dtype(dtype).name,
    )
    layer.build((None, *shape[:-1], half))
    return affine_coupling.AffineCoupling(
        layer, scale="exp", dtype=dtype, name="split_prior"
    )


def _make_top_prior(shape, conditioning_size, dtype):
    """Makes a bijector that normalizes every element on its own."""
    zeros = tf.zeros(shape, dtype)
    log_scale = tf.Variable(zeros, name="log_scale")
    shift = tf.Variable(zeros, name="shift")
    kernel = None
    if conditioning_size is not None:
        kernel = tf.Variable(
            tf.zeros([conditioning_size, 2 * shape[-1]], dtype),
            name="conditioning_kernel",
        )
    return TopPrior(shift, log_scale, kernel)
