# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""GlowModel: a Keras model of integer images, made from hyperparameters."""

import functools

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import checks
from tfp_glow import distributions
from tfp_glow import networks
from tfp_glow.bijectors import precision
from tfp_glow.models import export
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
        network_dtype=None,
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
            network_dtype: `str`, see `Glow`; by default Keras' own policy, as
                `keras.config.set_dtype_policy` sets it.
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
            network_dtype=network_dtype or keras.config.dtype_policy().name,
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
        self._compiled_encode = self._compiled(_encode)
        self._compiled_decode = self._compiled(_decode)
        self._compiled_generate = self._compiled(_generate)

    def _compiled(self, function):
        return tf.function(
            functools.partial(function, self.distribution),
            reduce_retracing=True,
            autograph=False,
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
        self._batches.check(images)
        return self._compiled_encode(self._batches.event_tensors(images))

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
        return self._compiled_decode(latents)

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
        if seed is None:
            seed = np.random.randint(2**31)
        return self._compiled_generate(
            tf.constant(n),
            tf.constant(temperature, tf.float32),
            tf.constant(seed, tf.int32),
        )

    def export(self, filepath, format=export.FORMAT):
        """Writes a TensorFlow SavedModel, as `FlowModel.export` does.

        ```python
        model.export("glow")
        glow = tf.saved_model.load("glow")
        glow.log_prob(images)  # [N]
        glow.sample(16, 0.7, 0)  # [16, H, W, C]
        glow.decode(glow.encode(images))  # [N, H, W, C]
        ```

        | function | inputs | output |
        |---|---|---|
        | `log_prob` | `images`, int32 | `log_prob` `[N]`, float32, in nats |
        | `sample` | `size`, int32; `temperature`, float32; `seed`, int32 | `images` `[size, H, W, C]`, int32 |
        | `encode` | `images`, int32 | `latents` `[N, H * W * C]`, float64 |
        | `decode` | `latents`, float64 | `images` `[N, H, W, C]`, float64 |

        Images that go in are `[N, H, W, C]`, of any `N` in every call; other
        integers have to be cast to int32. Those outside `[0, bins)` raise
        `tf.errors.InvalidArgumentError`. The numbers are those of the model's
        methods; gradients are those of `gradient="store"`.

        Args:
            filepath: `str` or `os.PathLike`, a folder that does not exist.
            format: `"tf_saved_model"`, the only one.

        Raises:
            FileExistsError: before any work, if there is anything at `filepath`.
            ValueError: for another format.
        """
        super().export(filepath, format)

    def exported_functions(self):
        flow = export.self_contained(self.distribution)
        images = {"images": tf.TensorSpec([None, *self.image_shape], tf.int32)}
        latents = {
            "latents": tf.TensorSpec([None, self.event_size], tf.float64)
        }
        return {
            "log_prob": export.Function(
                lambda images: flow.log_prob(
                    images, seed=flow_model.FIXED_SEED
                ),
                images,
                "log_prob",
            ),
            "sample": export.Function(
                lambda size, temperature, seed: flow.quantize(
                    _generate(flow, size, temperature, seed)
                ),
                {
                    "size": tf.TensorSpec([], tf.int32),
                    "temperature": tf.TensorSpec([], tf.float32),
                    "seed": tf.TensorSpec([], tf.int32),
                },
                "images",
            ),
            "encode": export.Function(
                lambda images: _encode(flow, images), images, "latents"
            ),
            "decode": export.Function(
                lambda latents: _decode(flow, latents), latents, "images"
            ),
        }


def _encode(flow, images):
    return _exact_glow(flow).inverse(
        flow.dequantize(tf.cast(images, tf.float64))
    )


def _decode(flow, latents):
    return flow.grey_levels(_exact_glow(flow).forward(latents))


def _exact_glow(flow):
    return precision.astype(flow.distribution.bijector, tf.float64)


def _generate(flow, size, temperature, seed):
    continuous = flow.distribution
    # TFP makes other numbers of a single seed at every call.
    noise = continuous.distribution.sample(size, seed=tf.stack([0, seed]))
    return continuous.bijector.forward(temperature * noise)
