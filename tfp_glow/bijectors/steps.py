# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The K steps of one level of a flow, as a loop over stacked variables."""

import collections.abc
import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import actnorm
from tfp_glow.bijectors import coupling as coupling_
from tfp_glow.bijectors import full_1x1_conv
from tfp_glow.bijectors import gradients
from tfp_glow.bijectors import invertible_1x1_conv
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import linear_algebra
from tfp_glow.bijectors import repeated
from tfp_glow.bijectors import transformers
from tfp_glow.bijectors import whitening

tfb = tfp.bijectors

# Factories of the bijectors that mix the channels.
PERMUTATIONS = {
    **{
        name: functools.partial(
            invertible_1x1_conv.Invertible1x1Conv.trainable, permutation=name
        )
        for name in invertible_1x1_conv.PERMUTATIONS
    },
    "full": full_1x1_conv.FullInvertible1x1Conv.trainable,
}

# How data initialize the steps.
INITIALIZATIONS = ("normalize", "whiten")

# The halves that the couplings of a step change, by the names of the couplings'
# networks in files.
_CHANGES = {
    "channel": {"network": "second"},
    "checkerboard": {"network": "second", "network_first": "first"},
    "all": {"network": "second"},
}


def make_steps(
    event_shape,
    num_steps,
    num_filters,
    seed=None,
    dtype=tf.float32,
    coupling="affine",
    permutation="learned",
    network="paper",
    mask="channel",
    conditioning_size=None,
    initialization="normalize",
    gradient=None,
    validate_args=False,
    name="steps",
):
    """Makes a `Repeated` of K steps, each `coupling(conv1x1(actnorm(x)))`.

    With a checkerboard a step has two couplings, one for each color.

    ActNorm and the 1x1 convolution are folded into one affine map of the
    channels. It, its inverse and its log-det are computed for all steps at
    once, before the loop.

    Args:
        event_shape: `(H, W, C)` inside the level, or `(D,)` for vectors.
        seed: `int`, `numpy.random.SeedSequence` or `None`.
        mask: see `Coupling`.
        conditioning_size: `int` or `None`. With it the steps take a keyword
            argument `conditioning`, `[N, D]` or `[N, H, W, D]` for N events.
        num_steps, num_filters, dtype, coupling, permutation, network,
            initialization, gradient, validate_args, name: see `Glow`.
    """
    event_shape = tuple(event_shape)
    transformer = transformers.get(coupling)
    _checks.choice("permutation", permutation, tuple(PERMUTATIONS))
    _checks.choice("initialization", initialization, INITIALIZATIONS)
    _checks.choice("mask", mask, ("channel", "checkerboard"))
    if event_shape == (1,):
        mask = "all"  # A single number cannot be split.
    dtype = _checks.real_dtype(dtype)
    num_seen, num_outputs = coupling_.network_channels(
        event_shape, transformer, mask=mask
    )
    width = num_filters if network == "paper" else 0
    sizes = [num_seen, width, num_outputs, conditioning_size or 0]
    num_weights = num_steps * (event_shape[-1] ** 2 + width * sum(sizes))
    # Training stores weights, gradients, two moments and averages as floats.
    _checks.memory(20 * num_weights, f"a model ({num_steps=}, {num_filters=})")
    seed = _tf.known_seed(seed)
    if not isinstance(seed, np.random.SeedSequence):
        seed = np.random.SeedSequence(seed)
    changes = _CHANGES[mask]
    conv_seed, *seeds = seed.generate_state(1 + len(changes)).tolist()
    variables = dict(dtype=dtype, batch_shape=[num_steps])
    norm = actnorm.ActNorm.trainable(event_shape[-1], **variables)
    conv = PERMUTATIONS[permutation](
        event_shape[-1], seed=conv_seed, **variables
    )
    couplings, weights = {}, {}
    for (key, change), network_seed in zip(changes.items(), seeds):
        layer = networks.make_network(
            network,
            num_outputs=num_outputs,
            num_filters=num_filters,
            spatial_shape=event_shape[:-1],
            conditioning_size=conditioning_size,
            seed=network_seed,
            dtype=dtype.name,
        )
        couplings[key] = coupling_.Coupling(
            layer, transformer, change, mask, len(event_shape)
        )
        with tf.name_scope(key):
            weights[key] = layer.stacked_variables(num_seen, num_steps)
    steps = _Steps(
        couplings=couplings,
        make_conv=type(conv),
        event_shape=event_shape,
        num_steps=num_steps,
        # A fixed permutation has nothing that data could set.
        whiten=initialization == "whiten" and bool(conv.trainable_variables),
    )
    return repeated.Repeated(
        steps.make_step,
        {
            "act_norm": {"shift": norm.shift, "log_scale": norm.log_scale},
            "invertible_1x1_conv": {
                name: value
                for name, value in conv.parameters.items()
                if isinstance(value, tf.Variable)
            },
            **weights,
        },
        gradient=gradients.choose(
            gradient,
            gradients.stored_bytes(
                [event_shape], num_steps, num_filters, dtype
            ),
        ),
        prepare_fn=steps.prepare,
        initialize_fn=steps.initialize,
        event_ndims=len(event_shape),
        dtype=dtype,
        validate_args=validate_args,
        name=name,
    )


class FoldedNormConv(joint.JointBijector):
    """ActNorm and a 1x1 convolution, folded into one affine map.

    ```none
    y[..., :] = x[..., :] kernel + shift
    x[..., :] = y[..., :] inverse_kernel + inverse_shift
    ```

    `log_det` is a scalar, the log-det of a whole event. A bijector of which only
    one direction will be used needs only that kernel and shift.
    """

    def __init__(
        self,
        log_det,
        kernel=None,
        shift=None,
        inverse_kernel=None,
        inverse_shift=None,
        event_ndims=3,
        name="folded_norm_conv",
    ):
        parameters = dict(locals())
        self._kernel = kernel
        self._shift = shift
        self._inverse_kernel = inverse_kernel
        self._inverse_shift = inverse_shift
        self._log_det = log_det
        super().__init__(
            forward_min_event_ndims=event_ndims,
            is_constant_jacobian=True,
            dtype=log_det.dtype,
            parameters=parameters,
            name=name,
        )

    def forward_and_log_det(self, x):
        _checks.channels(self, x, self._shift.shape[0])
        return _affine(x, self._kernel, self._shift), self._log_det

    def inverse_and_log_det(self, y):
        _checks.channels(self, y, self._inverse_shift.shape[0])
        x = _affine(y, self._inverse_kernel, self._inverse_shift)
        return x, -self._log_det


def _affine(x, kernel, shift):
    x = _tf.ensure_event_shape(x, kernel.shape[:1])
    rows = tf.reshape(x, [-1, kernel.shape[0]])
    y = tf.nn.bias_add(rows @ kernel, shift)
    known = x.shape[1:].is_fully_defined()  # This is less to compute.
    y = tf.reshape(y, [-1, *x.shape[1:]] if known else tf.shape(x))
    return tf.ensure_shape(y, x.shape)


# Objects are compared by identity, like the networks that they hold.
@dataclasses.dataclass(frozen=True, eq=False)
class _Steps:
    """The functions that a `Repeated` of `make_steps` is made of."""

    couplings: dict
    make_conv: collections.abc.Callable
    event_shape: tuple
    num_steps: int
    whiten: bool

    def prepare(self, p, inverse):
        """Computes what does not depend on data, for all steps at once."""
        prepared = {"norm_conv": self._fold_norm_conv(p, inverse)}
        for name, coupling in self.couplings.items():
            prepared[name] = coupling.network.prepare(p[name])
        return prepared

    def make_step(self, p, conditioning=None):
        """Makes one step from its slice of `prepare`'s result."""
        event_ndims = len(self.event_shape)
        parts = [FoldedNormConv(**p["norm_conv"], event_ndims=event_ndims)]
        for name, coupling in self.couplings.items():
            function = functools.partial(
                coupling.network.apply, p[name], conditioning=conditioning
            )
            parts.append(coupling.copy(network=function))
        return tfb.Chain(parts[::-1], name="step")

    def initialize(self, p, x, k):
        """Returns one step's parameters, set from its own input."""
        event_ndims = len(self.event_shape)
        p = {**p, "act_norm": self._normalizing_parameters(x, k)}
        if self.whiten:
            norm, conv = self._norm_and_conv(p)
            # ActNorms after the first one must not make the other directions,
            # step by step, seem to vary less than those that hardly vary.
            scale = tf.exp(-norm.log_scale)
            scale = tf.where(k == 0, tf.ones_like(scale), scale)
            x_normal = scale * norm.forward(x)
            white, _ = whitening.whitening_matrix(x_normal)
            matrix = tf.matmul(tf.cast(conv.matrix(), white.dtype), white)
            if event_ndims == 3:
                # The last step sorts the channels by smoothness. So the level
                # splits off details, as a wavelet transform does, and the next
                # level gets a smaller version of the image.
                smooth = whitening.smooth_first(x_normal)
                matrix = tf.where(k == self.num_steps - 1, smooth, matrix)
            matrix *= tf.cast(scale, matrix.dtype)
            p["invertible_1x1_conv"] = conv.parameters_of(matrix)
        folded = self._fold_norm_conv(p, inverse=False)
        mixed = _affine(x, folded["kernel"], folded["shift"])
        # The networks output zeros at first, so a coupling changes the input of
        # the next one only by a factor.
        for name, coupling in self.couplings.items():
            seen, _ = coupling.split(mixed)
            seen = _tf.flatten_batch(seen, event_ndims)
            p[name] = coupling.network.initialized(p[name], seen)
        return p

    def _normalizing_parameters(self, x, k):
        """Returns the parameters of step `k`'s ActNorm."""
        one = tf.ones([], x.dtype)
        # The first step normalizes the inputs of the others.
        mean, deviation = _tf.moments(x, one, weight=x.shape[-1])
        if len(self.event_shape) == 3:
            _, first = _tf.moments(x, weight=x.shape[-1])
        else:
            # Columns of a table may have very different scales.
            first = tf.math.reduce_std(x, list(range(x.shape.rank - 1)))
            is_rounding_error = first <= 1e-6 * tf.abs(mean)
            first = tf.where(is_rounding_error, one, first)
        deviation = tf.where(k == 0, first, deviation)
        return {"shift": -mean, "log_scale": -tf.math.log(deviation)}

    def _fold_norm_conv(self, p, inverse):
        """Returns the arguments of `FoldedNormConv`, for one step or all."""
        norm, conv = self._norm_and_conv(p)
        num_pixels = math.prod(self.event_shape[:-1])
        pixel = tf.zeros(norm.shift.shape[-1:], norm.dtype)
        log_det = tf.reduce_sum(norm.log_scale, axis=-1)
        log_det += conv.forward_log_det_jacobian(pixel, event_ndims=1)
        folded = {"log_det": log_det * tf.cast(num_pixels, log_det.dtype)}
        scale = tf.expand_dims(tf.exp(norm.log_scale), axis=-2)
        if inverse is False:
            matrix = conv.matrix() * scale
        else:
            matrix, inverse_matrix = conv.matrix_and_inverse()
            matrix *= scale
        kernel = tf.linalg.matrix_transpose(matrix)
        if not inverse:
            shift = linear_algebra.product(matrix, norm.shift[..., tf.newaxis])
            folded.update(kernel=kernel, shift=shift[..., 0])
        if inverse is not False:
            inverse_matrix = tf.linalg.matrix_transpose(inverse_matrix)
            inverse_matrix /= tf.cast(scale, inverse_matrix.dtype)
            folded["inverse_kernel"] = linear_algebra.refined_inverse(
                kernel, inverse_matrix
            )
            # ActNorm comes last in the inverse, so this is its shift.
            folded["inverse_shift"] = -norm.shift
        return folded

    def _norm_and_conv(self, p):
        norm = actnorm.ActNorm(**p["act_norm"])
        parameters = dict(p["invertible_1x1_conv"])
        if self.make_conv is invertible_1x1_conv.Invertible1x1Conv:
            # A fixed permutation has no floating parameter.
            parameters["dtype"] = norm.dtype
        return norm, self.make_conv(**parameters)
