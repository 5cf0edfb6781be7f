# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`shadow`: an exact trajectory of a flow near one with rounding errors."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from tfp_glow.analysis.stability import jacobian
from tfp_glow.analysis.stability import parts as parts_

_NUM_ITERATIONS = 100  # Of the inverse iteration.


@dataclasses.dataclass(frozen=True, eq=False)
class Shadow:
    """A trajectory with rounding errors, and the way to an exact one.

    A trajectory is the vectors before and after each part of a flow.

    Attributes:
        trajectory: array `[K + 1, D]`, the image first, the latents last.
        displacement: array `[K + 1, D]`; the sum of both is an exact
            trajectory, to first order.
        window: `float`, a bound of the norm of the displacement.
    """

    trajectory: np.ndarray
    displacement: np.ndarray
    window: float

    @property
    def distance(self):
        """`float`, the norm of the displacement, of all vectors together."""
        return float(np.linalg.norm(self.displacement))


def shadow(glow, rounded, x, **kwargs):
    """Finds an exact trajectory that shadows one with rounding errors.

    ```none
    h[k + 1] = F[k](h[k]) + g[k],  g: rounding errors
    h + u is exact, to first order, if  u[k + 1] - J[k] u[k] = -g[k]
    ```

    These equations, `A u = -g`, leave the start free. Their solution of least
    norm moves backward what the flow stretches. So it can be small even where
    the trajectories that share the start drift apart. With the least singular
    value `sigma` of `A`, the window is `2 |g| / sigma`.

    Args:
        glow: `Glow` in float64.
        rounded: `Glow` in the precision of the trajectory.
        x: one image, values `[1, H, W, C]`.
        **kwargs: keyword arguments of both, for one image.

    Returns:
        A `Shadow`, in units of the values and of the latent vectors.

    Raises:
        FloatingPointError: if values or derivatives are not finite.
        ValueError: if the image has more than `jacobian.MAX_SIZE` values.

    References:
        Xu and Campbell, Embracing the chaos, 2023, on the shadowing of flows.
        The factor 2 is that of Newton's method if second derivatives are small,
        which is not checked.
    """
    size = math.prod(x.shape)
    jacobian.check_size(size)
    kwargs = {name: tf.repeat(v, size, axis=0) for name, v in kwargs.items()}
    # All rows are the same, so that their gradients are the Jacobian's rows.
    state = tf.repeat(tf.reshape(x, [1, size]), size, axis=0)
    state = tf.cast(state, rounded.dtype)
    trajectory, errors, jacobians = [state[0]], [], []
    for part, other in zip(
        parts_.take_apart(glow, **kwargs), parts_.take_apart(rounded, **kwargs)
    ):
        linear = jacobian.Linearized(part.forward, tf.cast(state, glow.dtype))
        rows = linear.transposed_product(tf.eye(size, dtype=glow.dtype))
        state = other.forward(state)
        errors.append(tf.cast(state[0], glow.dtype) - linear.y[0])
        trajectory.append(state[0])
        jacobians.append(rows.numpy())
        if not np.all(np.isfinite(rows)) or not np.all(np.isfinite(errors[-1])):
            raise FloatingPointError(
                "Expected a finite trajectory. Received one that is not, after "
                f"{part.name}"
            )
    errors = np.stack(errors)
    solve = _solver(jacobians)
    w = np.random.default_rng(0).normal(size=errors.shape)
    for _ in range(_NUM_ITERATIONS):
        w = solve(w / np.linalg.norm(w))
    # The norm is now 1 / sigma**2, the largest eigenvalue of the inverse.
    window = 2.0 * np.linalg.norm(errors) * math.sqrt(np.linalg.norm(w))
    w = solve(-errors)
    none = np.zeros([1, size])
    moved = np.stack([row @ matrix for row, matrix in zip(w, jacobians)])
    return Shadow(
        trajectory=np.stack(trajectory).astype(np.float64),
        displacement=np.concatenate([none, w]) - np.concatenate([moved, none]),
        window=float(window),
    )


def _solver(jacobians):
    """Returns the function that solves `A A^T w = b`, all `[K, D]`.

    The matrix is block tridiagonal, `I + J[k] J[k]^T` on the diagonal and
    `-J[k]` left of it. Its Cholesky factor has two blocks in every row.
    """
    identity = np.eye(len(jacobians[0]))
    factors, lower = [], [np.zeros_like(identity)]
    for matrix in jacobians:
        block = identity + matrix @ matrix.T
        if factors:
            lower.append(_divide(factors[-1], -matrix.T).T)
            block -= lower[-1] @ lower[-1].T
        factors.append(np.linalg.cholesky(block))

    def solve(b):
        found = np.zeros([len(factors) + 1, len(identity)])
        for k, factor in enumerate(factors):
            right = b[k] - lower[k] @ found[k - 1]
            found[k] = _divide(factor, right[:, np.newaxis])[:, 0]
        following = [*lower[1:], lower[0]]
        for k in range(len(factors) - 1, -1, -1):
            right = found[k] - following[k].T @ found[k + 1]
            right = right[:, np.newaxis]
            found[k] = _divide(factors[k], right, adjoint=True)[:, 0]
        return found[:-1]

    return solve


def _divide(factor, right, adjoint=False):
    """Solves equations with a triangular matrix, or its transpose."""
    return tf.linalg.triangular_solve(factor, right, adjoint=adjoint).numpy()
