# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`of`: a model or a distribution, as a density of 8-bit images."""

import math
import weakref

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.distributions import dequantized
from tfp_glow.models import flow_model

tfd = tfp.distributions

# A model keeps its traced function as long as it lives.
_OF_MODELS = weakref.WeakKeyDictionary()


def of(model, bins=None):
    """Returns the `ImageDensity` of a model or a distribution.

    Args:
        model: `FlowModel`, `tfd.Distribution` of events `[H, W, C]`, or
            `ImageDensity`, which is returned. A distribution of floats has
            values in `[-1/2, 1/2)`, as `Dequantized` does.
        bins: `int`, number of gray levels. `None` for the model's own, or for
            256 if it is not known.

    Raises:
        TypeError: for another object, or a conditional model.
        ValueError: for events of another rank, or an unknown shape.
    """
    if isinstance(model, ImageDensity):
        return model
    if not isinstance(model, flow_model.FlowModel):
        return ImageDensity(model, bins)
    if model not in _OF_MODELS:
        if model.is_conditional:
            raise TypeError(
                "Expected a model of images without conditioning. Received: "
                f"{model!r}. Pass `model.distribution.given(conditioning)`"
            )
        _OF_MODELS[model] = ImageDensity(model.distribution, bins)
    return _OF_MODELS[model]


class ImageDensity:
    """Log-probabilities of integer images, with noise that the caller chooses.

    Attributes:
        distribution: the `tfd.Distribution`.
        image_shape: `(H, W, C)`.
        bins: `int`, number of gray levels.
        event_size: `int`, H * W * C.
    """

    def __init__(self, distribution, bins=None):
        if not isinstance(distribution, tfd.Distribution):
            raise TypeError(
                "Expected a FlowModel or a `tfd.Distribution` of images. "
                f"Received: {type(distribution).__name__}"
            )
        self.image_shape = tuple(distribution.event_shape)
        if len(self.image_shape) != 3 or None in self.image_shape:
            raise ValueError(
                "Expected a distribution of images, of event shape [H, W, C]. "
                f"Received: {distribution.event_shape}"
            )
        if bins is not None:
            [bins] = _checks.integers(2, "at least 2 gray levels", bins=bins)
        if not (
            isinstance(distribution, dequantized.Dequantized)
            or distribution.dtype.is_integer
        ):
            distribution = dequantized.Dequantized(distribution, bins or 256)
        self.distribution = distribution
        self.bins = getattr(distribution, "bins", bins or 256)
        if bins not in (None, self.bins):
            expected = f"None or {self.bins}, the model's own"
            raise _checks.invalid_value("bins", bins, expected)
        self.event_size = math.prod(self.image_shape)
        self._traced = _tf.compiled(self._log_prob)

    def to_levels(self, images):
        """Returns the gray levels, int32, nearest to intensities in [0, 1]."""
        levels = np.round(np.asarray(images) * (self.bins - 1))
        return np.clip(levels, 0, self.bins - 1).astype(np.int32)

    def draw_noise(self, seed):
        """Draws the position in a gray level of each value: [H, W, C]."""
        return np.random.default_rng(seed).random(self.image_shape, np.float32)

    def log_prob(self, levels, noise=None, batch_size=256):
        """Computes log-probabilities of gray levels.

        Args:
            levels: integers `[N, H, W, C]` in `[0, bins)`.
            noise: positions in `[0, 1)` within the gray levels, `[H, W, C]` or
                `[N, H, W, C]`, or `None` for their centers. A learned
                dequantizer transforms them. Distributions of integers need
                none.
            batch_size: `int`, images that are computed at a time.

        Returns:
            float64 array `[N]`, in nats. For a dequantized distribution it is a
            one-sample estimate of the lower bound.
        """
        noise = np.float32(0.5 if noise is None else noise)
        noise = np.broadcast_to(noise, np.shape(levels))
        log_probs = in_batches(
            lambda x, u: self._traced(tf.constant(x, tf.int32), tf.constant(u)),
            levels,
            noise,
            batch_size=batch_size,
        )
        return log_probs.astype(np.float64)

    def _log_prob(self, levels, noise):
        distribution = self.distribution
        if not isinstance(distribution, dequantized.Dequantized):
            return distribution.log_prob(tf.cast(levels, distribution.dtype))
        log_density = 0.0
        if distribution.dequantizer is not None:
            bijector = distribution.dequantizer(levels)
            log_density = -bijector.forward_log_det_jacobian(
                noise, event_ndims=3
            )
            noise = bijector.forward(noise)
        values = distribution.dequantize(
            levels, tf.cast(noise, distribution.distribution.dtype)
        )
        log_prob = distribution.distribution.log_prob(values) - log_density
        return log_prob - self.event_size * math.log(self.bins)


def in_batches(function, *arrays, batch_size=128):
    """Calls a function of arrays with some rows at a time, and joins results."""
    results = []
    for i in range(0, len(arrays[0]), batch_size):
        batch = [array[i : i + batch_size] for array in arrays]
        results.append(np.asarray(function(*batch)))
    return np.concatenate(results)
