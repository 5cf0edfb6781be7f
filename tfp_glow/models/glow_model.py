# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""GlowModel: a Keras model of integer images, made from hyperparameters."""

import keras
import tensorflow as tf

from tfp_glow import checks
from tfp_glow import distributions
from tfp_glow import networks
from tfp_glow.bijectors import precision
from tfp_glow.models import file_format
from tfp_glow.models import flow_model


@keras.saving.register_keras_serializable(package="tfp_glow")
class GlowModel(flow_model.FlowModel):
    """A Glow over integer images, made from its hyperparameters.

    Being made from plain values, it loads from a `.keras` file by itself. Its
    `distribution` is `Dequantized(glow_distribution(image_shape, ...), bins)`.

    Example:

    ```python
    model = tfg.GlowModel([8, 8, 1], num_levels=2, num_steps=4, bins=17)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(tfg.datasets.load("digits", batch_size=64), epochs=2)
    model.sample(16, temperature=0.7, seed=0)  # int32 [16, 8, 8, 1]
    model.save("model.keras")
    ```
    """

    def __init__(
        self,
        image_shape,
        num_levels=3,
        num_steps=32,
        num_filters=512,
        bins=256,
        seed=None,
        permutation="learned",
        additive=False,
        scale="sigmoid",
        edge_padding=True,
        input_bound=networks.INPUT_BOUND,
        output_bound=networks.OUTPUT_BOUND,
        gradient="invert",
        **kwargs,
    ):
        """Makes the model.

        Args:
            image_shape: `(H, W, C)`.
            num_levels, num_steps, num_filters: see `Glow`.
            bins: `int`, number of grey levels of the images.
            seed: `int` or `None`, for the variables and the training noise.
            permutation, additive, scale, edge_padding, input_bound,
                output_bound, gradient: see `Glow`.
            **kwargs: arguments of `keras.Model`.

        Raises:
            ValueError: if an argument is not as described.
        """
        flow_config = dict(
            image_shape=tuple(image_shape),
            num_levels=num_levels,
            num_steps=num_steps,
            num_filters=num_filters,
            seed=seed,
            permutation=permutation,
            additive=additive,
            scale=scale,
            edge_padding=edge_padding,
            input_bound=input_bound,
            output_bound=output_bound,
            gradient=gradient,
        )
        flow = distributions.glow_distribution(
            **flow_config, validate_args=True
        )
        super().__init__(
            distributions.Dequantized(flow, bins, validate_args=True),
            seed=seed,
            **kwargs,
        )
        self._config = dict(flow_config, bins=bins)
        exact = precision.astype(self.glow, tf.float64)
        self._compiled_encode = tf.function(
            exact.inverse, reduce_retracing=True
        )
        self._compiled_decode = tf.function(
            exact.forward, reduce_retracing=True
        )
        self._compiled_generate = tf.function(
            self.glow.forward, reduce_retracing=True
        )

    def get_config(self):
        return {
            file_format.KEY: file_format.VERSION,
            "name": self.name,
            "trainable": self.trainable,
            **self._config,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        file_format.check_version(config.pop(file_format.KEY, 1))
        return cls(**config)

    @property
    def glow(self):
        """The `Glow` bijector."""
        return self.distribution.distribution.bijector

    @property
    def image_shape(self):
        """`(H, W, C)`."""
        return self.glow.image_shape

    @property
    def bins(self):
        """Number of grey levels."""
        return self.distribution.bins

    def encode(self, images):
        """Latent vectors of images, taken at the centres of grey levels.

        Args:
            images: integers, `[N, H, W, C]`.

        Returns:
            float64 `Tensor` `[N, H * W * C]`; `model.glow.split_latents` gives
            its levels. The flow is computed in float64 around its float32
            networks, which makes `decode` an exact inverse.
        """
        self._check_data(images)
        images = tf.cast(images, tf.float64)
        return self._compiled_encode(self.distribution.dequantize(images))

    def decode(self, latents):
        """Images of latent vectors, neither rounded nor clipped.

        Args:
            latents: floats, `[N, H * W * C]`.

        Returns:
            float64 `Tensor` `[N, H, W, C]` in units of a grey level, so that
            `decode(encode(images))` is `images` up to rounding errors.
        """
        latents = tf.cast(latents, tf.float64)
        checks.channels(self.glow, latents, self.event_size)
        return self.distribution.grey_levels(self._compiled_decode(latents))

    def sample(self, n, temperature=1.0, seed=None):
        """Draws images.

        Args:
            n: positive `int`, how many.
            temperature: non-negative `float` that multiplies the latent noise
                at every level; below 1 images are likelier and less varied.
            seed: `int` or `None`.

        Returns:
            int32 `Tensor` `[n, H, W, C]` of values in `[0, bins)`.
        """
        return self.distribution.quantize(
            self.sample_values(n, temperature, seed)
        )

    def sample_values(self, n, temperature=1.0, seed=None):
        """What `sample` quantises: float32, data lie in `[-1/2, 1/2)`."""
        checks.positive_integer(n=n)
        if not temperature >= 0:
            raise ValueError(
                "Invalid value received for argument `temperature`. Expected "
                f"a non-negative number. Received: temperature={temperature}"
            )
        base = self.distribution.distribution.distribution
        # TFP makes other numbers of an `int` seed at every call.
        seed = None if seed is None else (0, seed)
        return self._compiled_generate(temperature * base.sample(n, seed=seed))
