# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Rational-quadratic splines: increasing functions between given knots.

`tfb.RationalQuadraticSpline` pads its slopes with `tf.pad`, and a vectorized
`tf.pad` pads with zeros. Its numbers are therefore wrong under
`tf.vectorized_map`, and in TFP's auto-batched joint distributions.

In a bin from `(x0, y0)` to `(x0 + w, y0 + h)`, with slopes `d0` and `d1` at its
ends, `s = h / w` and `t = (x - x0) / w`:

```none
y = y0 + h (s t**2 + d0 t (1 - t)) / q,   q = s + (d0 + d1 - 2 s) t (1 - t)
dy/dx = s**2 (d1 t**2 + 2 s t (1 - t) + d0 (1 - t)**2) / q**2
```

References:
    Durkan et al., Neural spline flows, 2019, section 3 and appendix A.
"""

import tensorflow as tf


def spline(x, widths, heights, slopes, bound, inverse=False):
    """Applies splines from `(-bound, -bound)` to `(bound, bound)`, or inverts.

    Outside of these they are the identity. At both ends their slope is 1.

    Args:
        x: floating `Tensor`, `[...]`.
        widths, heights: `[..., K]`, positive, with the sum `2 * bound`.
        slopes: `[..., K - 1]`, positive, at the inner knots.
        bound: positive `float`.
        inverse: `bool`; if true, `x` are outputs of the splines.

    Returns:
        The outputs, and the logarithms of the derivative of what was applied.
    """
    # Inputs outside are replaced first. If the gradient of an unused branch is
    # not finite, the whole gradient is NaN.
    inside = tf.abs(x) < bound
    x_inside = tf.where(inside, x, 0.0)
    bins = _bins(widths, heights, slopes, bound)
    left_knots = bins[1 if inverse else 0]
    index = tf.reduce_sum(
        tf.cast(x_inside[..., tf.newaxis] >= left_knots[..., 1:], tf.int32), -1
    )
    mask = tf.one_hot(index, widths.shape[-1], dtype=x.dtype)
    x0, y0, w, h, d0, d1 = (tf.reduce_sum(mask * b, -1) for b in bins)
    s = h / w
    if inverse:
        t = _solve((x_inside - y0) / h, d0, d1, s)
        y = x0 + w * t
    else:
        t = (x_inside - x0) / w
    between = t * (1.0 - t)
    q = s + (d0 + d1 - 2.0 * s) * between
    if not inverse:
        y = y0 + h * (s * t**2 + d0 * between) / q
    slope = d1 * t**2 + 2.0 * s * between + d0 * (1.0 - t) ** 2
    log_slope = tf.math.log(slope) + 2.0 * tf.math.log(s / q)
    log_slope = tf.where(inside, -log_slope if inverse else log_slope, 0.0)
    return tf.where(inside, y, x), log_slope


def _bins(widths, heights, slopes, bound):
    """Returns x0, y0, w, h, d0 and d1 of every bin, `[..., K]` each."""
    edge = tf.ones_like(widths[..., :1])

    def left(sizes):
        inner = tf.cumsum(sizes, axis=-1)[..., :-1] - bound
        return tf.concat([-bound * edge, inner], axis=-1)

    d0 = tf.concat([edge, slopes], axis=-1)
    d1 = tf.concat([slopes, edge], axis=-1)
    return left(widths), left(heights), widths, heights, d0, d1


def _solve(rise, d0, d1, s):
    """Returns the `t` at which a bin has reached a fraction of its height.

    The quadratic formula, arranged so that nothing cancels: a sum of squares
    under the root, and `t = a / (a + b)` of positive numbers.
    """
    # A fraction beyond [0, 1] is a rounding error.
    clipped = tf.clip_by_value(rise, 0.0, 1.0)
    rise += tf.stop_gradient(clipped - rise)
    e = d0 * (1.0 - rise) - d1 * rise
    square = 4.0 * s**2 * rise * (1.0 - rise)
    # The derivative of `abs` at 0 would be 0.
    total = tf.sqrt(e**2 + square) + tf.where(e < 0.0, -e, e)
    a, b = 2.0 * s * rise, tf.where(e < 0.0, square / total, total)
    return a / (a + b)
