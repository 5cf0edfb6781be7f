# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Searches one dequantization cell for the value with the largest error."""

import dataclasses

import numpy as np
import tensorflow as tf

from tfp_glow import _tf

# Norm of the perturbation whose growth is maximized, of latents or values.
_EPSILON = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Attack:
    """Largest errors found, by the number of values tried.

    Attributes:
        attacked: array `[num_steps + 1, N]`, the largest error so far of every
            image; the first one is at the center of the cell.
        random: the same for random values of the cell.
    """

    attacked: np.ndarray
    random: np.ndarray

    def to_dict(self):
        """Returns the largest error over the images after every step."""
        return {
            name: np.max(errors, axis=1).tolist()
            for name, errors in vars(self).items()
        }


def search(measure, objective, centers, radius, num_steps, seed=0):
    """Maximizes an error over the cells around centers.

    Signed gradients of the objective move the values, which are clipped to the
    cells (Madry et al., Towards deep learning models resistant to adversarial
    attacks, 2018). As many random values on the cells' corners are also
    measured: noise of the same size.

    Args:
        measure: function from values `[N, ...]` to errors `[N]`.
        objective: function of values and a seed, a pair of integers, to `[N]`,
            which is differentiated.
        centers: values `[N, ...]`.
        radius: positive `float`, half the width of a cell.
        num_steps: positive `int`.
        seed: `int`.
    """
    centers = tf.convert_to_tensor(centers)
    step_size = 2.5 * radius / num_steps if num_steps > 5 else radius / 2

    @_tf.compiled
    def move(x, seed):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = objective(x, seed)
        direction = tf.sign(tape.gradient(value, x))
        # A gradient that is not finite moves nothing.
        direction = tf.where(tf.math.is_finite(direction), direction, 0.0)
        x += tf.cast(step_size, x.dtype) * direction
        return tf.clip_by_value(x, centers - radius, centers + radius)

    x, errors, random = centers, [measure(centers)], [measure(centers)]
    for i in range(num_steps):
        x = move(x, _tf.stateless_seed(seed, stream=i))
        errors.append(measure(x))
        corner = tf.random.stateless_uniform(
            tf.shape(x), _tf.stateless_seed(seed, stream=-1 - i), dtype=x.dtype
        )
        random.append(measure(centers + radius * tf.sign(corner - 0.5)))
    # A value that is not finite is the largest error.
    return Attack(
        *(
            np.maximum.accumulate(
                np.nan_to_num(np.stack(e), nan=np.inf, posinf=np.inf)
            )
            for e in (errors, random)
        )
    )


def growth(function, inverse):
    """Returns the objective of round trips: growth of an error of the latents.

    The round trip itself is the identity but for rounding errors, so its
    gradient tells nothing. The objective is the squared distance to which
    `inverse` takes latents apart that differ by a random vector.
    """

    def objective(x, seed):
        z = function(x)
        noise = tf.random.stateless_normal(tf.shape(z), seed, dtype=z.dtype)
        axes = list(range(1, z.shape.rank))
        norm = tf.sqrt(tf.reduce_sum(noise**2, axes, keepdims=True))
        moved = inverse(z + _EPSILON * noise / norm)
        return tf.reduce_sum((moved - x) ** 2, list(range(1, x.shape.rank)))

    return objective


def disagreement(log_prob, exact_log_prob):
    """Returns the objective of log-densities: the squared difference of two.

    Here the gradient tells how the rounding errors of the gradients add up. In
    trials it found larger errors than the sensitivity of the log-density did.
    """

    def objective(x, _):
        exact = exact_log_prob(x)
        return tf.square(tf.cast(log_prob(x), exact.dtype) - exact)

    return objective
