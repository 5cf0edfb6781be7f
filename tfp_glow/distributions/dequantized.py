# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Dequantized`: a distribution of integer images from a continuous one."""

import copy
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import samplers

from tfp_glow import _checks
from tfp_glow import _tf

tfb = tfp.bijectors
tfd = tfp.distributions


class Dequantized(tfd.Distribution):
    """Integer images under a continuous distribution.

    ```none
    log P(x) >= E[ log 1/M sum{ w[m] : m } ] - D ln bins
    w[m] = p((x + u[m]) / bins - 1/2) / q(u[m] | x),   u[m] ~ q(. | x)
    sample = clip(floor(bins * (y + 1/2)), 0, bins - 1),   y ~ p
    ```

    where `p` is the density of the continuous distribution, over values in
    `[-1/2, 1/2)`, `D` the number of dimensions of an event, `M` the number of
    noise samples, and `q` the density of the noise over `[0, 1)**D`. The noise
    is uniform, `q = 1`, unless a `dequantizer` shapes it.

    `log_prob` estimates this lower bound from one set of `M` noise samples, and
    any number reported from it is a bound too. The bound never falls with `M`
    and tends to `log P(x)`. The arguments of `log_prob` decide the noise:

    | arguments | noise |
    |---|---|
    | none | new in every call, independent in all rows |
    | `seed` | a function of the image and the seed, whatever the batch; independent for different images |
    | `seed`, `first_row` | that of a larger batch, from its row `first_row` on; independent in all rows |

    So `log_prob(x, seed=0)` compares images on equal terms, and `seed` with
    `first_row=0` suits training. In float32 the noise resolves about `2**24 /
    bins` positions within a gray level.

    A graph grows with `M`, because `log_prob` calls the distribution `M` times.
    For a large `M`, take the logarithm of the mean of `exp(log_prob(x,
    seed=s))` over seeds, which is the same bound.

    | | shape |
    |---|---|
    | integer images | `batch_shape + event_shape` of the distribution |
    | `log_prob` | `batch_shape`, in nats |

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = tfg.Dequantized(flow, bins=256)
    x = images.sample(5, seed=0)  # int32, in [0, 256)
    tfg.bits_per_dim(images.log_prob(x, seed=0), 8 * 8 * 3)  # at most this
    ```

    References:
        Theis et al., A note on the evaluation of generative models, 2016,
        section 3.1; Ho et al., Flow++, 2019, section 3.1; Burda et al.,
        Importance weighted autoencoders, 2016, theorem 1.
    """

    def __init__(
        self,
        distribution,
        bins=256,
        dequantizer=None,
        num_noise_samples=1,
        validate_args=False,
        name="dequantized",
    ):
        """Makes the distribution.

        Args:
            distribution: continuous `tfd.Distribution`.
            bins: `int` of at least 2, number of gray levels.
            dequantizer: callable that maps integer images `[..., *event_shape]`
                to a `tfb.Bijector` of `[0, 1)**D` that transforms uniform
                noise, such as `tfg.NoiseFlow`; `None` for uniform noise.
            num_noise_samples: positive `int`, `M`.
            validate_args: `bool`; if true, values outside `[0, bins)` and noise
                outside `[0, 1]` raise `tf.errors.InvalidArgumentError`.
            name: `str`.
        """
        parameters = dict(locals())
        [bins] = _checks.integers(2, "at least 2 gray levels", bins=bins)
        [num_noise_samples] = _checks.positive_integer(
            num_noise_samples=num_noise_samples
        )
        if dequantizer is not None and not callable(dequantizer):
            raise TypeError(
                "Expected `dequantizer` to be None or a callable from images "
                f"to a bijector. Received: {type(dequantizer).__name__}"
            )
        with tf.name_scope(name) as name:
            self._distribution = distribution
            self._bins = bins
            self._dequantizer = dequantizer
            self._num_noise_samples = num_noise_samples
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
        component = parameter_properties.BatchedComponentProperties()
        return dict(distribution=component)

    @property
    def distribution(self):
        """The continuous distribution."""
        return self._distribution

    @property
    def bins(self):
        """Number of gray levels."""
        return self._bins

    @property
    def dequantizer(self):
        """Callable that gives the bijector of the noise, or `None`."""
        return self._dequantizer

    @property
    def num_noise_samples(self):
        """Number of noise samples in an estimate of the bound, `M`."""
        return self._num_noise_samples

    def given(self, conditioning):
        """Returns the distribution of images, given their conditioning.

        See `given` of the flow that `glow_distribution` returns.
        """
        return self.copy(distribution=self.distribution.given(conditioning))

    def __deepcopy__(self, memo):
        # TFP cannot copy distributions deeply.
        names = ("distribution", "dequantizer")
        parts = {name: self.parameters[name] for name in names}
        parts = copy.deepcopy(parts, memo)
        return type(self)(**self.parameters | parts)

    def __repr__(self):
        return f"{super().__repr__()[:-1]} distribution={self.distribution!r}>"

    def dequantize(self, images, noise=0.5):
        """Returns continuous values in `[-1/2, 1/2)` of integer images.

        `noise` in `[0, 1)` is the position inside the cell of a gray level. The
        values have the distribution's dtype unless `images` is floating.
        """
        images = tf.convert_to_tensor(images)
        if images.dtype.is_integer:
            images = tf.cast(images, self.distribution.dtype)
        return (images + noise) / self.bins - 0.5

    def quantize(self, values):
        """Returns int32 images whose cells contain the values, clipped."""
        levels = tf.floor((values + 0.5) * self.bins)
        return tf.cast(tf.clip_by_value(levels, 0, self.bins - 1), tf.int32)

    def to_gray_levels(self, values):
        """Inverts `dequantize` without rounding or clipping."""
        return (values + 0.5) * self.bins - 0.5

    def draw(self, images, seed, first_row=None):
        """Returns dequantized images and the logarithm of the noise's density.

        `seed` and `first_row` are as in `log_prob`. The density has the batch's
        shape, or `[]` if it is uniform.
        """
        bijector = self._noise_bijector(images)
        return self._draw(images, bijector, _seed(seed), first_row)

    def _noise_bijector(self, images):
        if self.dequantizer is None:
            return None
        bijector = self.dequantizer(images)
        if not isinstance(bijector, tfb.Bijector):
            raise TypeError(
                "Expected `dequantizer` to return a `tfb.Bijector`. Received: "
                f"{type(bijector).__name__}"
            )
        return bijector

    def _draw(self, images, bijector, seed, first_row):
        dtype = tf.as_dtype(self.distribution.dtype)
        if first_row is None:
            noise = _noise_of(images, len(self.event_shape), dtype, seed)
        else:
            shape = tf.shape(images)
            shape = tf.concat([first_row + shape[:1], shape[1:]], axis=0)
            noise = samplers.uniform(shape, dtype=dtype, seed=seed)[first_row:]
        if bijector is None:
            return self.dequantize(images, noise), tf.zeros([], dtype)
        dtype = noise.dtype.as_numpy_dtype
        # The generator returns the lower ends of equal intervals. Their centers
        # are just as uniform, and never 0, where densities may have a pole.
        uniform = noise + np.finfo(dtype).eps / 2.0
        noise = bijector.forward(uniform)
        log_density = -bijector.forward_log_det_jacobian(
            uniform, event_ndims=len(self.event_shape)
        )
        if self.validate_args:
            message = "Expected a `dequantizer` that gives noise in [0, 1]."
            clipped = tf.clip_by_value(noise, 0, 1)
            checked = tf.debugging.assert_equal(noise, clipped, message)
            with tf.control_dependencies([checked]):
                noise = tf.identity(noise)
        # The largest noise that does not round up the highest gray level.
        largest = np.nextafter(dtype(self.bins), dtype(0)) - (self.bins - 1)
        noise = tf.clip_by_value(noise, 0, largest)
        return self.dequantize(images, noise), log_density

    def _event_shape(self):
        return self.distribution.event_shape

    def _event_shape_tensor(self):
        return self.distribution.event_shape_tensor()

    def _sample_n(self, n, seed=None, **kwargs):
        return self.quantize(self.distribution.sample(n, seed=seed, **kwargs))

    # TFP would convert a NumPy array of floats to int32 and so truncate it.
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
        if seed is None:
            first_row = 0
        seeds = [_seed(seed)]
        if self.num_noise_samples > 1:
            seeds = samplers.split_seed(seeds[0], n=self.num_noise_samples)
        bijector = self._noise_bijector(value)
        log_weights = []
        # A Python loop, because XLA does not compile the gradient of
        # TensorFlow's own loops when the batch size is unknown.
        for sample_seed in seeds:
            values, log_density = self._draw(
                value, bijector, sample_seed, first_row
            )
            log_prob = self.distribution.log_prob(values, **kwargs)
            log_weights.append(log_prob - log_density)
        bound = log_weights[0]
        if self.num_noise_samples > 1:
            bound = tf.reduce_logsumexp(log_weights, axis=0)
            bound -= math.log(self.num_noise_samples)
        event_size = tf.reduce_prod(self.event_shape_tensor())
        return bound - tf.cast(event_size, bound.dtype) * math.log(self.bins)

    def gray_level_assertions(self, images):
        """Returns a list of assertions that images are in `[0, bins)`.

        It is empty without `validate_args`.
        """
        if not self.validate_args:
            return []
        message = f"Expected gray levels in [0, {self.bins})."
        images = tf.cast(images, tf.int64)
        clipped = tf.clip_by_value(images, 0, self.bins - 1)
        return [tf.debugging.assert_equal(images, clipped, message)]

    def _sample_control_dependencies(self, value, **kwargs):
        return self.gray_level_assertions(value)

    def _default_event_space_bijector(self):
        return None


def continuous(distribution):
    """Returns the distribution that a `Dequantized` is made of, or itself."""
    if isinstance(distribution, Dequantized):
        return distribution.distribution
    return distribution


def _noise_of(images, event_ndims, dtype, seed):
    """Draws uniform noise as a function of the images, pairwise independent.

    ```none
    key = sum{ odd number[i] * image[i] : i }
    noise[i] = (offset[i] + slope[i] * key) / 2**64 mod 1
    ```

    in integers modulo `2**64`. The numbers come from the seed, so two images
    share a key with a probability of about `2**-64`.
    """
    images = tf.cast(images, tf.int64)
    event_shape = tf.shape(images)[tf.rank(images) - event_ndims :]
    # Programs compiled by XLA would draw other numbers from negative seeds.
    seed = tf.bitwise.bitwise_and(seed, 2**31 - 1)
    numbers = tf.random.stateless_uniform(
        tf.concat([[3], event_shape], axis=0), seed, None, None, tf.int64
    )
    factors, offset, slope = tf.unstack(numbers, num=3)
    key = tf.reduce_sum(
        (2 * factors + 1) * images,
        axis=list(range(-event_ndims, 0)),
        keepdims=True,
    )
    # Keep as many of the highest bits as a mantissa holds. They are signed, so
    # the fraction is in [-1/2, 1/2).
    num_bits = np.finfo(dtype.as_numpy_dtype).nmant
    bits = tf.bitwise.right_shift(offset + slope * key, 64 - num_bits)
    return tf.cast(bits, dtype) * 2.0**-num_bits + 0.5


def _seed(seed):
    if seed is not None and np.ndim(seed) == 0:
        seed = _tf.stateless_seed(seed)
    return samplers.sanitize_seed(seed, salt="dequantize")
