# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compiled functions of a model's flow, whose conditioning is vectors."""

import functools
import math
import weakref

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis import density
from tfp_glow.bijectors import levels
from tfp_glow.bijectors import precision
from tfp_glow.distributions import units

BATCH_SIZE = 256
# A model keeps its traced functions as long as it lives.
_OF_MODELS = weakref.WeakKeyDictionary()


def of(model):
    """Returns the `Flow` of a `GlowModel`."""
    if model not in _OF_MODELS:
        shape = model.glow.conditioning_shape
        _OF_MODELS[model] = Flow(model.distribution, shape)
    return _OF_MODELS[model]


def vectors(model, conditioning, num):
    """Returns conditioning as float32 vectors `[num, ...]`, or `None`.

    Labels become one-hot vectors. Rows of floats are weights of classes.
    """
    given = np.asarray(conditioning)
    if model.num_classes is not None and given.dtype.kind == "f":
        _checks.conditioning(given, (num, model.num_classes))
        return np.asarray(given, np.float32)
    model._spec.check_conditioning(conditioning, num)
    if conditioning is None:
        return None
    return np.asarray(model._spec.conditioning_vectors(conditioning))


class Flow:
    """Decodes latents and computes densities, given vectors or `None`.

    Attributes:
        event_shape: `(H, W, C)`.
    """

    def __init__(self, distribution, conditioning_shape):
        self._distribution = distribution
        self.event_shape = tuple(distribution.event_shape)
        self._event_size = math.prod(self.event_shape)
        self._vectors = []
        if conditioning_shape is not None:
            shape = [None, *conditioning_shape]
            self._vectors = [tf.TensorSpec(shape, tf.float32)]

    # Batches of every size have one program, because tracing takes seconds.
    @functools.cached_property
    def _decode(self):
        latents = tf.TensorSpec([None, self._event_size], tf.float64)
        traced = _tf.compiled(self._decode_batch)
        return traced.get_concrete_function(latents, *self._vectors)

    @functools.cached_property
    def _density(self):
        values = tf.TensorSpec([None, *self.event_shape], tf.float32)
        traced = _tf.compiled(self.log_density)
        return traced.get_concrete_function(values, *self._vectors)

    def decode(self, latents, vectors):
        """Returns images `[N, H, W, C]` of latents, in gray levels."""
        return _call(self._decode, np.asarray(latents, np.float64), vectors)

    def scale_latents(self, latents, temperature):
        """Returns latents `[..., D]` at a temperature, as `sample` does."""
        bijector = self._distribution.distribution.bijector
        exact = precision.astype(bijector, tf.float64)
        latents = tf.constant(latents, tf.float64)
        return levels.scale_latents(exact, latents, temperature).numpy()

    def bits_per_dim(self, images, vectors):
        """Returns the bits per dimension of the density at images, `[N]`.

        The unit of the density's argument is a gray level, and nothing is
        added to the images.
        """
        images = np.asarray(images, np.float64)
        values = self._distribution.dequantize(images).numpy()
        log_probs = _call(self._density, values.astype(np.float32), vectors)
        log_probs -= self._event_size * math.log(self._distribution.bins)
        return units.bits_per_dim(log_probs, self._event_size)

    def log_density(self, values, vectors=None):
        """Computes the log-density of continuous values, float32 `[N]`."""
        return self._distribution.distribution.log_prob(
            values, **_arguments(vectors)
        )

    def _decode_batch(self, latents, vectors=None):
        bijector = self._distribution.distribution.bijector
        exact = precision.astype(bijector, tf.float64)
        kwargs = {} if vectors is None else {"conditioning": vectors}
        return self._distribution.to_gray_levels(
            exact.forward(latents, **kwargs)
        )


def _arguments(vectors):
    if vectors is None:
        return {}
    return {"bijector_kwargs": {"conditioning": vectors}}


def _call(function, values, vectors):
    given = [values] if vectors is None else [values, np.float32(vectors)]
    results = density.in_batches(
        lambda *batch: function(*map(tf.constant, batch)),
        *given,
        batch_size=BATCH_SIZE,
    )
    return results.astype(float)
