# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`NoiseFlow`: dequantization noise that is learned from the image."""

import copy

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import joint
from tfp_glow.bijectors import levels
from tfp_glow.bijectors import squeeze
from tfp_glow.bijectors import steps

tfb = tfp.bijectors


class NoiseFlow(tf.Module):
    """A flow from uniform noise to dequantization noise, given the image.

    ```none
    e = quantile(v)                            v ~ U(0, 1)**D
    z = unsqueeze(flow(squeeze(e); features((x + 1/2) / bins - 1/2)))
    u = cdf(z)
    log q(u | x) = log n(e) - log|det dz/de| - log n(z)
    ```

    where `n`, `cdf` and `quantile` are those of the standard normal. A call
    with integer images `x` returns the bijector from `v` to `u`, which is what
    `Dequantized` expects of a dequantizer. The noise is exactly uniform as long
    as `flow` is a rotation. `trainable` makes such a flow, so that training
    starts with uniform dequantization.

    | | shape |
    |---|---|
    | images, `u`, `v` | `[..., H, W, C]` |
    | `flow`'s input and output | `[..., H / f, W / f, f**2 C]`, `f = factor` |
    | input of `features` | `[N, H / f, W / f, f**2 C]`, variance about 1 |

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 3], num_levels=2, num_steps=4)
    images = tfg.Dequantized(
        flow, bins=256, dequantizer=tfg.NoiseFlow.trainable([8, 8, 3])
    )
    model = tfg.FlowModel(images)  # `fit` trains both.
    ```

    References:
        Ho et al., Flow++, 2019, section 3.1. Its flow has couplings of
        logistic mixtures and ends in a logistic function.
    """

    def __init__(self, flow, features, bins, factor=1, name="dequantizer"):
        """Makes the noise flow of its parts.

        Args:
            flow: `tfb.Bijector` from noise to noise. Its methods take the
                keyword argument `conditioning`: features, with the leading
                dimensions of the noise flattened into one.
            features: callable from batches of images to features, such as a
                Keras layer.
            bins: `int`, number of gray levels.
            factor: `int` that divides `H` and `W`; see `Squeeze`.
            name: `str`.
        """
        super().__init__(name=name)
        [bins] = _checks.positive_integer(bins=bins)
        self.flow = flow
        self.features = features
        self.bins = bins
        self._squeeze = squeeze.Squeeze(factor)
        # `tf.Module` does not find the variables of Keras layers.
        if isinstance(features, keras.layers.Layer):
            self._feature_variables = [w.value for w in features.weights]

    @classmethod
    def trainable(
        cls,
        image_shape,
        bins=256,
        num_steps=4,
        num_filters=32,
        seed=None,
        dtype=tf.float32,
        network_dtype=None,
        gradient=None,
        validate_args=False,
        name="dequantizer",
    ):
        """Makes a noise flow with fresh variables, uniform at first.

        Each step of the flow is a 1x1 convolution and an affine coupling, whose
        network also sees features of the image. Images of odd height or width
        are not squeezed. Their couplings split them by a checkerboard.

        Args:
            image_shape, bins, num_steps, seed, gradient, validate_args: see
                `GlowModel`.
            num_filters: positive `int`, number of features of the image, and
                width of all networks.
            dtype: floating dtype, that of the distribution.
            network_dtype: dtype or Keras dtype policy of the networks only;
                `dtype` by default.
            name: `str`.
        """
        [num_steps] = _checks.positive_integer(num_steps=num_steps)
        height, width, channels = levels.checked_image_shape(image_shape, 0)
        factor = 2 if height % 2 == width % 2 == 0 else 1
        inner_shape = (height // factor, width // factor, channels * factor**2)
        network_dtype = network_dtype or tf.as_dtype(dtype).name
        with tf.name_scope(name):
            features = networks.FeatureNetwork(
                num_filters, seed=seed, dtype=network_dtype, name="features"
            )
            features.build((None, *inner_shape))
            flow = steps.make_steps(
                inner_shape,
                num_steps,
                num_filters,
                seed=seed,
                dtype=dtype,
                # The scales are 1 at first, so the steps are rotations.
                coupling="affine_bounded_exp",
                network=networks.CouplingNetwork(dtype=network_dtype),
                mask="channel" if factor > 1 else "checkerboard",
                conditioning_size=num_filters,
                gradient=gradient,
                validate_args=validate_args,
                name="dequantizer",
            )
        return cls(flow, features, bins, factor, name=name)

    def __deepcopy__(self, memo):
        # The variables of the features are those of the copied layer.
        parts = copy.deepcopy([self.flow, self.features], memo)
        return NoiseFlow(*parts, self.bins, self._squeeze.factor, self.name)

    def with_gradient(self, gradient):
        """Returns a `NoiseFlow` of the same variables; see `Repeated`."""
        flow, factor = self.flow.copy(gradient=gradient), self._squeeze.factor
        return NoiseFlow(flow, self.features, self.bins, factor, self.name)

    def __call__(self, images):
        """Returns the `tfb.Bijector` from `v` to `u` of integer images."""
        images = tf.cast(images, self.flow.dtype)
        # Uniform gray levels have a variance of 1 in these units.
        values = ((images + 0.5) / self.bins - 0.5) * 12.0**0.5
        values = _tf.flatten_batch(self._squeeze.forward(values), 3)
        given = joint.Given(self.flow, conditioning=self.features(values))
        parts = [tfb.NormalCDF(), tfb.Invert(self._squeeze), given]
        parts += [self._squeeze, tfb.Invert(tfb.NormalCDF())]
        return tfb.Chain(parts, name=self.name)
