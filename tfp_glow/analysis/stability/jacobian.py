# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Singular values of Jacobians, by power iteration or exactly."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf

# The exact Jacobian of a larger event would take minutes and gigabytes.
MAX_SIZE = 1024
_ROWS = 64  # Of the Jacobian, at a time.


class Linearized:
    """The derivative of a function of a batch, row by row, as two products.

    The products are gradients, so eager TensorFlow computes the function only
    once: `J^T w` is that of `y`, and `J v` is that of `u -> J^T u`.
    """

    def __init__(self, function, x):
        """Differentiates `function` at `x`, `[N, ...]`."""
        self._x = tf.identity(x)
        with tf.GradientTape(persistent=True) as self._outer:
            with tf.GradientTape(persistent=True) as self._inner:
                self._inner.watch(self._x)
                self.y = function(self._x)
            self._u = tf.zeros_like(self.y)
            self._outer.watch(self._u)
            self._back = self._inner.gradient(self.y, self._x, self._u)
        self.shape, self.dtype = self._x.shape, self._x.dtype

    def product(self, v):
        """Computes `J v`."""
        return self._outer.gradient(self._back, self._u, v)

    def transposed_product(self, w):
        """Computes `J^T w`."""
        return self._inner.gradient(self.y, self._x, w)


def largest_singular_values(linear, num_steps=20, seed=0):
    """Estimates the largest singular values by power iteration on `J^T J`.

    The estimates grow with the number of steps and never exceed the singular
    values.

    Args:
        linear: `Linearized`, or another object with its `shape`, `dtype` and products.
        num_steps: positive `int`.
        seed: `int`.

    Returns:
        Array `[N]`.
    """
    random = np.random.default_rng(seed).normal(size=linear.shape)
    _, v = _normalized(tf.constant(random, linear.dtype))
    for _ in range(num_steps):
        sigma, w = _normalized(linear.product(v))
        _, v = _normalized(linear.transposed_product(w))
    return sigma.numpy()


def _normalized(v):
    """Returns the norm of every row, and the rows with norm 1."""
    axes = list(range(1, v.shape.rank))
    norm = tf.sqrt(tf.reduce_sum(v**2, axes, keepdims=True))
    # The zero vector stays, so that a constant function has the norm 0.
    return tf.squeeze(norm, axes), tf.math.divide_no_nan(v, norm)


@dataclasses.dataclass(frozen=True, eq=False)
class Exact:
    """The Jacobian of a flow at one event, by automatic differentiation.

    Attributes:
        singular_values: array `[D]`, the largest first.
        log_det: `float`, from the Jacobian by an LU decomposition.
        analytic_log_det: `float`, the bijector's own.
    """

    singular_values: np.ndarray
    log_det: float
    analytic_log_det: float

    @property
    def condition_number(self):
        """The largest singular value over the smallest."""
        return float(self.singular_values[0] / self.singular_values[-1])

    @property
    def log_det_error(self):
        """|analytic log-det - log-det of the automatic Jacobian|, in nats."""
        return abs(self.log_det - self.analytic_log_det)


def check_size(size):
    """Raises `ValueError` if events are too large for an exact Jacobian."""
    if size > MAX_SIZE:
        expected = f"events of at most {MAX_SIZE} dimensions"
        raise ValueError(
            f"An exact Jacobian is too large. Expected {expected}. Received: "
            f"{size}. Power iteration, `exact=False`, has no limit"
        )


def exact(flow, x, **kwargs):
    """Computes the `Exact` Jacobian of a `Flow`'s `encode`.

    Args:
        flow: `Flow`, best in float64.
        x: one event, a batch of size 1.
        **kwargs: keyword arguments of the bijector, for one event.

    Raises:
        FloatingPointError: if the Jacobian has values that are not finite.
        ValueError: if the event has more than `MAX_SIZE` dimensions.
    """
    x = tf.cast(x, flow.dtype)
    size = int(np.prod(x.shape))
    check_size(size)
    if x.shape[0] != 1:
        raise _checks.invalid_value("x", x.shape, "a batch of one event")

    @_tf.compiled
    def rows(x, directions, kwargs):
        count = tf.shape(directions)[0]
        x = tf.repeat(x, count, axis=0)
        kwargs = {
            name: tf.repeat(v, count, axis=0) for name, v in kwargs.items()
        }
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = flow.inverse(x, **kwargs)
            y = tf.reshape(y, tf.shape(directions))
        return tape.gradient(y, x, directions)

    identity = np.eye(size, dtype=flow.dtype.as_numpy_dtype)
    matrix = np.concatenate(
        [
            np.reshape(rows(x, identity[i : i + _ROWS], kwargs), [-1, size])
            for i in range(0, size, _ROWS)
        ]
    )
    if not np.all(np.isfinite(matrix)):
        raise FloatingPointError(
            "Expected a finite Jacobian. Received one with values that are not"
        )
    analytic = flow.bijector.inverse_log_det_jacobian(
        x, event_ndims=x.shape.rank - 1, **kwargs
    )
    return Exact(
        singular_values=np.linalg.svd(matrix, compute_uv=False),
        log_det=float(np.linalg.slogdet(matrix)[1]),
        analytic_log_det=float(tf.reshape(analytic, [-1])[0]),
    )
