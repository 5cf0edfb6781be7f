# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Dequantized: integer images under a continuous distribution."""

import math

import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import samplers

from tfp_glow import checks

tfd = tfp.distributions


class Dequantized(tfd.Distribution):
    """Integer images under a continuous distribution.

    ```none
    log P(x) >= E[ log p((x + u) / bins - 1/2) ] - D ln bins,   u ~ U[0, 1)**D
    sample = clip(floor(bins * (y + 1/2)), 0, bins - 1),   y ~ p
    ```

    where `p` is the density of the continuous distribution, over values in
    `[-1/2, 1/2)`, and `D` the number of dimensions of an event.

    `log_prob` estimates this lower bound from one draw of the noise, so it
    is random unless `seed` is given: `log_prob(x, seed=0)`. Given `first_row`
    also, it takes the noise which `x` would get as the rows from there on of a
    larger batch. In float32 the noise resolves a grey level about
    `2**24 / bins` times.

    | | shape |
    |---|---|
    | integer images | `batch_shape + event_shape` of the distribution |
    | `log_prob` | `batch_shape`, in nats |

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = tfg.Dequantized(flow, bins=256)
    x = images.sample(5, seed=0)  # int32, in [0, 256)
    tfg.bits_per_dim(images.log_prob(x, seed=0), 8 * 8 * 3)
    ```

    References:
        Theis et al., A note on the evaluation of generative models, 2016,
        section 3.1.
    """

    def __init__(
        self, distribution, bins=256, validate_args=False, name="dequantized"
    ):
        """Makes the distribution.

        Args:
            distribution: continuous `tfd.Distribution`.
            bins: `int` of at least 2, number of grey levels.
            validate_args: `bool`; if true, values outside `[0, bins)` raise
                `tf.errors.InvalidArgumentError`.
            name: `str`.

        Raises:
            ValueError: if `bins` is not such an integer.
        """
        parameters = dict(locals())
        checks.positive_integer(bins=bins)
        if bins < 2:
            raise ValueError(
                "Invalid value received for argument `bins`. Expected at "
                f"least 2 grey levels. Received: bins={bins}"
            )
        with tf.name_scope(name) as name:
            self._distribution = distribution
            self._bins = bins
            super().__init__(
                dtype=tf.int32,
                reparameterization_type=tfd.NOT_REPARAMETERIZED,
                validate_args=validate_args,
                allow_nan_stats=True,
                parameters=parameters,
                name=name,
            )

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        return dict(
            distribution=parameter_properties.BatchedComponentProperties()
        )

    @property
    def distribution(self):
        """The continuous distribution."""
        return self._distribution

    @property
    def bins(self):
        """Number of grey levels."""
        return self._bins

    def dequantize(self, images, noise=0.5):
        """Continuous values of integer images.

        Args:
            images: `Tensor` of values in `[0, bins)`, integers of any dtype.
            noise: position inside the cell of a grey level, in `[0, 1)`; its
                centre by default.

        Returns:
            `Tensor` of the same shape in `[-1/2, 1/2)`, of the distribution's
            dtype unless `images` is floating already.
        """
        images = tf.convert_to_tensor(images)
        if images.dtype.is_integer:
            images = tf.cast(images, self.distribution.dtype)
        return (images + noise) / self.bins - 0.5

    def grey_levels(self, values):
        """The inverse of `dequantize`, continuous and not clipped.

        Args:
            values: floating `Tensor`.

        Returns:
            `Tensor` of the same shape and dtype, in units of a grey level;
            an integer where `values` lies at the centre of a cell.
        """
        return (values + 0.5) * self.bins - 0.5

    def quantize(self, values):
        """The integer images, int32, in whose cells `values` lie.

        Values outside `[-1/2, 1/2)` are clipped to the nearest grey level.
        """
        levels = tf.floor((values + 0.5) * self.bins)
        return tf.cast(tf.clip_by_value(levels, 0, self.bins - 1), tf.int32)

    def _event_shape(self):
        return self.distribution.event_shape

    def _event_shape_tensor(self):
        return self.distribution.event_shape_tensor()

    def _sample_n(self, n, seed=None, **kwargs):
        values = self.distribution.sample(n, seed=seed, **kwargs)
        return self.quantize(values)

    # TFP would convert to int32, and so truncate the floats of a NumPy array.
    def _call_log_prob(self, value, name, **kwargs):
        value = tf.convert_to_tensor(value)
        return super()._call_log_prob(value, name, **kwargs)

    def _call_prob(self, value, name, **kwargs):
        value = tf.convert_to_tensor(value)
        return super()._call_prob(value, name, **kwargs)

    def _log_prob(self, value, seed=None, first_row=None, **kwargs):
        if not value.dtype.is_integer:
            raise TypeError(
                "Invalid dtype received by `Dequantized.log_prob`. Expected "
                f"integers in [0, {self.bins}). Received: {value.dtype.name}"
            )
        dtype = self.distribution.dtype
        if isinstance(seed, int):
            # TFP makes other numbers of an `int` seed at every call.
            seed = (0, seed)
        shape = tf.shape(value)
        if first_row is not None:
            shape = tf.concat([first_row + shape[:1], shape[1:]], axis=0)
        noise = samplers.uniform(
            shape,
            dtype=dtype,
            seed=samplers.sanitize_seed(seed, salt="dequantize"),
        )
        if first_row is not None:
            noise = noise[first_row:]
        log_prob = self.distribution.log_prob(
            self.dequantize(value, noise), **kwargs
        )
        event_size = tf.cast(
            tf.reduce_prod(self.event_shape_tensor()), log_prob.dtype
        )
        return log_prob - event_size * math.log(self.bins)

    def _sample_control_dependencies(self, value, **kwargs):
        if not self.validate_args:
            return []
        message = f"Expected grey levels in [0, {self.bins})."
        value = tf.cast(value, tf.int32)
        return [
            tf.debugging.assert_non_negative(value, message=message),
            tf.debugging.assert_less(value, self.bins, message=message),
        ]

    def _default_event_space_bijector(self):
        return None
