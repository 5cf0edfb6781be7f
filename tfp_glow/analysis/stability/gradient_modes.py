# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Compares the gradients that `Glow` computes in different ways."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.analysis.stability import flows
from tfp_glow.bijectors import gradients


@dataclasses.dataclass(frozen=True)
class Difference:
    """How two gradients of all weights differ.

    Attributes:
        angle: `float`, in degrees.
        relative_distance: `float`, |g - h| / |h|.
    """

    angle: float
    relative_distance: float

    @classmethod
    def of(cls, gradient, reference):
        """Compares two arrays."""
        g, h = (np.asarray(v, np.float64) for v in (gradient, reference))
        norms = np.linalg.norm(g), np.linalg.norm(h)
        # Unlike the arc cosine this keeps the digits of small angles.
        g_unit, h_unit = g / norms[0], h / norms[1]
        half = np.arctan2(
            np.linalg.norm(g_unit - h_unit), np.linalg.norm(g_unit + h_unit)
        )
        distance = np.linalg.norm(g - h) / norms[1]
        return cls(float(np.degrees(2.0 * half)), float(distance))


def compare_gradients(glow, x, modes=gradients.GRADIENTS, **kwargs):
    """Compares gradients in float32 with those of `"store"` and of float64.

    They are gradients of the mean negative log-density of a batch, over all
    weights.

    Args:
        glow: `Glow`.
        x: values `[N, H, W, C]`.
        modes: names of gradients of `Glow`.
        **kwargs: keyword arguments of its methods, such as `conditioning`.

    Returns:
        Dictionary of the name of a mode to a dictionary, of `"store"` and
        `"float64"` to the `Difference` from them.

    Raises:
        ValueError: for an unknown mode.
    """
    for mode in modes:
        _checks.choice("modes", mode, gradients.GRADIENTS)
    exact = flows.exact_copy(glow.copy(gradient="store", validate_args=False))
    found = {
        mode: _gradient(
            glow.copy(gradient=mode, validate_args=False), x, kwargs
        )
        for mode in {"store": None} | dict.fromkeys(modes)
    }
    references = {
        "store": found["store"],
        "float64": _gradient(exact, x, kwargs),
    }
    return {
        mode: {
            name: Difference.of(found[mode], reference)
            for name, reference in references.items()
        }
        for mode in modes
    }


def _gradient(glow, x, kwargs):
    """Returns the gradient of all weights as one array."""

    @_tf.compiled
    def compute(x, kwargs):
        with tf.GradientTape() as tape:
            latents = tf.cast(glow.inverse(x, **kwargs), tf.float64)
            log_det = glow.inverse_log_det_jacobian(x, event_ndims=3, **kwargs)
            nats = tf.reduce_sum(latents**2, axis=-1) / 2
            loss = tf.reduce_mean(nats - tf.cast(log_det, tf.float64))
        return tape.gradient(loss, glow.trainable_variables)

    parts = compute(tf.cast(x, glow.dtype), kwargs)
    return np.concatenate([np.ravel(g).astype(np.float64) for g in parts])
