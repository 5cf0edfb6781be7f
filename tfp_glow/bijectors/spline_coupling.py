# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""SplineCoupling: one half of an input bends the other by splines."""

import math

import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import coupling

tfb = tfp.bijectors

# Of an activation that a norm made standard normal, less than one in a million
# lies outside; networks, which see 4 tanh(x / 4), tell such apart no more.
BOUND = 5.0

# As a fraction of the mean; bins of no width would make infinite slopes.
_MIN_BIN_SIZE = 1e-2
_MIN_SLOPE = 1e-2


class SplineCoupling(coupling.Coupling):
    """Bends one half of the input by splines that depend on the other half.

    ```none
    x1, x2 = split(x)
    w, h, d = network(x1), of every element: num_bins, num_bins, num_bins - 1
    y1 = x1
    y2 = spline(x2) if |x2| < bound else x2
    log|det dy/dx| = sum{ log spline'(x2) : |x2| < bound }
    ```

    Each spline is increasing, a ratio of quadratics between knots, from
    (-bound, -bound) to (bound, bound), with slope 1 at both. Of a sum of
    `2 * bound`, its bins have

    ```none
    width_i  = 2 bound (m / num_bins + (1 - m) softmax(w)_i),  m = 0.01
    height_i = likewise of h
    slope_i  = m + softplus(d_i + log(exp(1 - m) - 1)),  1 if d_i = 0
    ```

    so an output of zeros gives the identity. No element moves further than
    `2 * bound`, in either direction: samples stay finite.

    The network's output has `3 * num_bins - 1` numbers for every channel that
    changes, those of one channel together: `w`, then `h`, then `d`. Shapes
    and masks are those of `Coupling`.

    Example:

    ```python
    coupling = tfg.SplineCoupling.trainable([4, 4, 6], num_filters=32)
    coupling.forward(tf.ones([7, 4, 4, 6])).shape  # [7, 4, 4, 6]
    ```

    References:
        Durkan et al., Neural spline flows, 2019, section 3 and appendix A.
    """

    def __init__(
        self,
        network,
        num_bins=8,
        bound=BOUND,
        change="second",
        mask="channel",
        event_ndims=3,
        dtype=None,
        validate_args=False,
        name="spline_coupling",
    ):
        """Makes the bijector around a network.

        Args:
            network: any callable from `Tensor` to `Tensor`; see `Coupling`.
            num_bins: `int`, at least 2.
            bound: positive `float`, where the splines end, in units of the
                input.
            change, mask, event_ndims, dtype, validate_args: see `Coupling`.
            name: `str`.

        Raises:
            TypeError, ValueError: as `Coupling`.
            ValueError: for fewer than 2 bins or a bound that is not positive
                and finite.
        """
        parameters = dict(locals())
        _checks.positive_integer(num_bins=num_bins)
        if num_bins < 2:
            raise ValueError(
                "Invalid value received for argument `num_bins`. Expected at "
                f"least 2. Received: num_bins={num_bins!r}"
            )
        if not 0.0 < bound < math.inf:
            raise ValueError(
                "Invalid value received for argument `bound`. Expected a "
                f"positive, finite number. Received: bound={bound!r}"
            )
        self._num_bins = num_bins
        self._bound = bound
        super().__init__(
            network,
            change=change,
            mask=mask,
            event_ndims=event_ndims,
            dtype=dtype,
            validate_args=validate_args,
            parameters=parameters,
            name=name,
        )

    @property
    def outputs_per_channel(self):
        return 3 * self._num_bins - 1

    def elementwise(self, outputs):
        widths, heights, slopes = tf.split(
            _tf.per_channel(outputs, self.outputs_per_channel),
            [self._num_bins, self._num_bins, self._num_bins - 1],
            axis=-1,
        )
        offset = math.log(math.expm1(1.0 - _MIN_SLOPE))
        return tfb.RationalQuadraticSpline(
            bin_widths=self._bin_sizes(widths),
            bin_heights=self._bin_sizes(heights),
            knot_slopes=_MIN_SLOPE + tf.math.softplus(slopes + offset),
            range_min=-self._bound,
        )

    def _bin_sizes(self, raw):
        smallest = _MIN_BIN_SIZE / self._num_bins
        fractions = smallest + (1.0 - _MIN_BIN_SIZE) * tf.nn.softmax(raw)
        return 2.0 * self._bound * fractions
