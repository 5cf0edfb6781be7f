# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Two-dimensional toy densities with known entropy."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks

tfd = tfp.distributions


def distribution(name, dtype=tf.float32):
    """Makes a toy density by name.

    | name | density | entropy in nats |
    |---|---|---|
    | `"checkerboard"` | uniform on 8 of 16 squares in `[-4, 4]**2` | 3.4657 |
    | `"8gaussians"` | normals, stddev 1/(2 sqrt 2), at radius 2 sqrt 2 | 2.8316 |
    | `"moons"` | two half circles of radius 2, plus noise, stddev 0.2 | 2.3939 |

    `entropy()` is exact for the checkerboard, 5 ln 2, because its squares do
    not overlap. For the others it integrates over a grid, to the last digits of
    `dtype`.

    Args:
        name: `str`, a name in the table.
        dtype: floating dtype of the events.

    Returns:
        A `tfd.MixtureSameFamily` with event shape `[2]` that has `entropy`.

    Example:

    ```python
    board = tfg.toy.distribution("checkerboard")
    x = board.sample(1000, seed=0)  # [1000, 2]
    board.entropy()  # 3.4657
    ```

    References:
        Grathwohl et al., FFJORD, 2019, figure 2. The sizes are those of their
        code, `toy_data.py`, whose moons have equally spaced angles; here the
        angles are uniformly distributed.
    """
    _checks.choice("name", name, tuple(_DENSITIES))
    return _DENSITIES[name](tf.as_dtype(dtype))


class _Disjoint(tfd.MixtureSameFamily):
    """A mixture of components whose supports have no volume in common."""

    def _entropy(self):
        weights = self.mixture_distribution
        parts = self.components_distribution.entropy()
        return weights.entropy() + tf.reduce_sum(
            weights.probs_parameter() * parts, axis=-1
        )


class _Smooth(tfd.MixtureSameFamily):
    """A mixture of normals in the plane that lies within `[-5, 5]**2`.

    The trapezoidal rule converges exponentially for smooth densities.
    """

    def _entropy(self):
        axis = np.linspace(-5.0, 5.0, 201)
        grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape([-1, 2])
        log_prob = self.log_prob(tf.constant(grid, self.dtype))
        cell = (axis[1] - axis[0]) ** 2
        return -cell * tf.reduce_sum(tf.exp(log_prob) * log_prob)


def _checkerboard(dtype):
    column, row = np.divmod(np.arange(16), 4)
    black = (column + row) % 2 == 0
    low = -4.0 + 2.0 * np.stack([column[black], row[black]], axis=-1)
    low = tf.constant(low, dtype)
    squares = tfd.Uniform(low, low + 2.0)
    return _Disjoint(
        tfd.Categorical(logits=tf.constant(np.full(8, np.log(1 / 8)), dtype)),
        tfd.Independent(squares, reinterpreted_batch_ndims=1),
        name="checkerboard",
    )


def _eight_gaussians(dtype):
    means = np.sqrt(8.0) * _circle(np.arange(8) * np.pi / 4.0)
    weights, stddev = np.full(8, 1.0 / 8.0), np.sqrt(1.0 / 8.0)
    return _normals(weights, means, stddev, dtype, "eight_gaussians")


def _moons(dtype):
    # 64 nodes give the integral over the angle to the last digit, because they
    # are closer together than the noise is wide.
    nodes, weights = np.polynomial.legendre.leggauss(64)
    upper = _circle((nodes + 1.0) * np.pi / 2.0)
    lower = [1.0, 0.5] - upper
    means = 2.0 * np.concatenate([upper, lower]) - [1.0, 0.2]
    return _normals(np.tile(weights / 4.0, 2), means, 0.2, dtype, "moons")


def _circle(angle):
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _normals(weights, means, stddev, dtype, name):
    means = tf.constant(means, dtype)
    stddevs = tf.fill(means.shape, tf.constant(stddev, dtype))
    normals = tfd.MultivariateNormalDiag(means, stddevs)
    mixture = tfd.Categorical(logits=tf.constant(np.log(weights), dtype))
    return _Smooth(mixture, normals, name=name)


_DENSITIES = {
    "checkerboard": _checkerboard,
    "8gaussians": _eight_gaussians,
    "moons": _moons,
}
