# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""GlowModel: a Keras model of integer images, made from hyperparameters."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _arguments
from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import levels
from tfp_glow.bijectors import precision
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import flows
from tfp_glow.distributions import noise_flow
from tfp_glow.models import classifier
from tfp_glow.models import export
from tfp_glow.models import flow_model
from tfp_glow.models import policies
from tfp_glow.models import presets
from tfp_glow.models import saving

# Files of earlier versions lack these where they were not given.
_EARLIER = dict(
    num_levels=3, num_steps=32, num_filters=512, initialization="normalize"
)


@keras.saving.register_keras_serializable(package="tfp_glow")
class GlowModel(presets.WithPresets, flow_model.FlowModel):
    """A Glow over integer images, made from its hyperparameters.

    A `.keras` file holds the hyperparameters, so that it loads by itself. The
    `distribution` is `Dequantized(glow_distribution(image_shape, ...), bins)`.

    Example:

    ```python
    model = tfg.GlowModel([8, 8, 1], bins=17)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(tfg.datasets.load("digits", batch_size=64), epochs=2)
    model.sample(16, temperature=0.7, seed=0)  # int32 [16, 8, 8, 1]
    model.save("model.keras")
    ```
    """

    def __init__(
        self,
        image_shape,
        *,
        bins=256,
        num_classes=None,
        classifier_weight=0.0,
        dequantizer="uniform",
        num_noise_samples=1,
        weight_noise=0.2,
        seed=None,
        **glow,
    ):
        """Makes the model.

        Args:
            image_shape: `(H, W, C)`.
            bins: `int`, number of gray levels of the images.
            num_classes: `int` if the conditioning is labels `[N]` below it.
            classifier_weight: non-negative `float`, 0.01 in the paper. If it
                is not 0, a linear classifier of the features that enter the
                top prior is trained too. The loss then is the bits per
                dimension plus `classifier_weight` times the classifier's
                cross-entropy in bits. Requires `conditioned="priors"`, so that
                the features do not depend on the label.
            dequantizer: `"uniform"`, or `"learned"`, a flow of 4 steps and
                width 32, which was no better at equal training time.
            num_noise_samples: positive `int`, see `Dequantized`.
            weight_noise: see `FlowModel`.
            seed: `int` or `None`, for the variables and the training noise.
            **glow: arguments of `Glow`, for example `num_steps`, or `name` and
                `trainable` of `keras.Model`. Unless `network` says otherwise,
                the networks have the policy `dtype`, by default that of
                `keras.config.set_dtype_policy`: `"float32"`,
                `"mixed_bfloat16"` or `"mixed_float16"`. The density is float32.

        Raises:
            TypeError, ValueError: for an unknown or an invalid argument.
        """
        _checks.choice("dequantizer", dequantizer, ("uniform", "learned"))
        seed = _checks.seed(seed)
        classifier_weight = _checks.number(
            "classifier_weight", classifier_weight
        )
        # These go to `keras.Model`, although `Glow` has a `name` too.
        names = glow.keys() & {"name", "trainable"}
        keras_arguments = {name: glow.pop(name) for name in names}
        classifier.check_arguments(
            classifier_weight,
            num_classes,
            glow.get("conditioned", "all"),
            num_noise_samples,
        )
        size = glow.get("conditioning_size")
        if num_classes is not None and size is not None:
            expected = f"None with num_classes={num_classes}"
            raise _checks.invalid_value("conditioning_size", size, expected)
        policy = policies.of_networks(glow)
        # With scaled losses, a gradient that is not finite is not an error.
        given = {"validate_args": policy != "mixed_float16", **glow}
        if num_classes is not None:
            given["conditioning_size"] = num_classes
        if given.get("gradient") is None and num_noise_samples != 1:
            given["gradient"] = "invert"  # Each sample has its activations.
        flow = flows.glow_distribution(image_shape, seed=seed, **given)
        bijector, image_shape = flow.bijector, flow.bijector.image_shape
        noise = None
        if dequantizer == "learned":
            noise = noise_flow.NoiseFlow.trainable(
                image_shape,
                bins=bins,
                seed=seed,
                network_dtype=policy,
                gradient=bijector.steps(0).gradient,
                validate_args=True,
            )
        super().__init__(
            dequantized.Dequantized(
                flow, bins, noise, num_noise_samples, validate_args=True
            ),
            conditioning_fn=bijector.conditioning_shape
            and flows.bijector_kwargs,
            conditioning_shape=bijector.conditioning_shape,
            num_classes=num_classes,
            weight_noise=weight_noise,
            seed=seed,
            dtype=policy if policy in policies.NAMES else "float32",
            **keras_arguments,
        )
        self._config = dict(
            {name: bijector.parameters[name] for name in _EARLIER} | glow,
            num_levels=bijector.num_levels,
            image_shape=self.image_shape,
            bins=self.bins,
            num_classes=self._spec.num_classes,
            classifier_weight=classifier_weight,
            dequantizer=dequantizer,
            num_noise_samples=self.distribution.num_noise_samples,
            weight_noise=weight_noise,
            seed=seed,
        )
        self._classifier = None
        if classifier_weight:
            self._classifier = classifier.Classifier(
                num_classes, self.glow.latent_shapes[-1][-1], classifier_weight
            )
        self._encode, self._decode, self._generate = (
            _tf.compiled(functools.partial(f, self.distribution))
            for f in (_encode, _decode, _generate)
        )

    def get_config(self):
        return {
            "name": self.name,
            "trainable": self.trainable,
            **saving.config(self._config),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**_EARLIER | saving.arguments(config, custom_objects))

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
        """Number of gray levels."""
        return self.distribution.bins

    @property
    def num_classes(self):
        """Number of classes, or `None` if the conditioning is not labels."""
        return self._config["num_classes"]

    @property
    def has_classifier(self):
        """Whether `class_logits` is available, with `classifier_weight > 0`."""
        return self._classifier is not None

    def _batch_log_prob(self, x, conditioning, **noise):
        if not self.has_classifier:
            return super()._batch_log_prob(x, conditioning, **noise)
        # This is `Dequantized.log_prob` with its values also classified.
        values, log_density = self.distribution.draw(x, **noise)
        kwargs = self.conditioning_kwargs(conditioning)
        log_prob = self.distribution.distribution.log_prob(values, **kwargs)
        self._classifier(self._features(values, **kwargs), conditioning)
        log_cell = -self.event_size * math.log(self.bins)
        return log_prob - log_density + log_cell

    def _features(self, values, bijector_kwargs):
        # TFP's cache keeps the latent vectors of a flow that was just evaluated.
        latents = self.glow.inverse(values, **bijector_kwargs)
        return self.glow.top_features(latents, **bijector_kwargs)

    def class_logits(self, images):
        """Classifies images `[N, H, W, C]` by the auxiliary classifier.

        Returns unnormalized log-probabilities at the centers of gray levels,
        float32 `[N, num_classes]`. Requires `classifier_weight`.
        """
        if not self.has_classifier:
            raise ValueError(
                "Expected a model with a classifier, made with "
                "`classifier_weight` above 0. Received: one without"
            )
        # The features do not depend on the class.
        labels = np.zeros(len(images), np.int32)
        self._spec.check(images, labels)
        values = self.distribution.dequantize(tf.convert_to_tensor(images))
        kwargs = self.conditioning_kwargs(labels)
        return self._classifier(self._features(values, **kwargs))

    @_arguments.suggesting
    def class_log_probs(self, images, seed=None, num_draws=1):
        """Computes log-probabilities `[N, num_classes]` given every class.

        Add the logarithms of the classes' prior probabilities to classify
        images `[N, H, W, C]` by Bayes' rule. The noise is the same for every
        class; see `log_prob`. Requires `num_classes`.
        """
        if self.num_classes is None:
            raise ValueError(
                "Expected a model of classes, made with `num_classes`. "
                "Received: one without"
            )
        log_probs = [
            self.log_prob(images, np.full(len(images), c), seed, num_draws)
            for c in range(self.num_classes)
        ]
        return tf.stack(log_probs, axis=-1)

    @_arguments.suggesting
    def encode(self, images, conditioning=None):
        """Computes latent vectors of images, at the centers of gray levels.

        Args:
            images: integers, `[N, H, W, C]`.
            conditioning: see `log_prob`.

        Returns:
            float64 `Tensor` `[N, H * W * C]`. `model.glow.split_latents`
            splits it into levels. The flow is computed in float64 around its
            float32 networks, which makes `decode` an exact inverse.
        """
        self._spec.check(images, conditioning)
        kwargs = self.conditioning_kwargs(conditioning)
        return self._encode(self._spec.event_tensors(images), **kwargs)

    @_arguments.suggesting
    def decode(self, latents, conditioning=None):
        """Computes images of latents `[N, H * W * C]`, not rounded or clipped.

        A conditioning other than that of `encode` changes only what depends on
        it.

        Returns:
            float64 `Tensor` `[N, H, W, C]` in gray levels, so that
            `decode(encode(images))` is `images` up to rounding errors.
        """
        latents = tf.cast(tf.convert_to_tensor(latents), tf.float64)
        expected = tf.TensorShape([None, self.event_size])
        if not latents.shape.is_compatible_with(expected):
            raise ValueError(
                "Invalid shape received for the latents. Expected a batch of "
                f"vectors, {expected}. Received: {latents.shape}"
            )
        self._spec.check_conditioning(conditioning, len(latents))
        return self._decode(latents, **self.conditioning_kwargs(conditioning))

    @_arguments.suggesting
    def sample(self, n, temperature=1.0, conditioning=None, seed=None):
        """Draws images.

        Args:
            n: positive `int`.
            temperature: non-negative `float` that multiplies the latent noise
                at every level, before its contrast is evened out, or a list of
                one for each level, the finest first. Below 1 images are more
                likely and less varied.
            conditioning: see `log_prob`, of `n` images.
            seed: `int` or `None`.

        Returns:
            int32 `Tensor` `[n, H, W, C]` of values in `[0, bins)`.
        """
        return self.distribution.quantize(
            self.sample_values(n, temperature, conditioning, seed)
        )

    @_arguments.suggesting
    def sample_values(self, n, temperature=1.0, conditioning=None, seed=None):
        """Draws images, float32 `[n, H, W, C]`, before quantization.

        Most values are in `[-1/2, 1/2)`. Args: see `sample`.
        """
        [n] = _checks.positive_integer(n=n)
        num_levels = self.glow.num_levels
        temperatures = np.asarray(temperature)
        if (
            temperatures.shape not in ((), (num_levels,))
            or temperatures.dtype.kind not in "iuf"
            or not np.all((temperatures >= 0) & (temperatures < math.inf))
        ):
            expected = f"a non-negative number, or {num_levels} of them"
            raise _checks.invalid_value("temperature", temperature, expected)
        self._spec.check_conditioning(conditioning, n)
        sizes = [math.prod(shape) for shape in self.glow.latent_shapes]
        temperatures = np.broadcast_to(temperatures, [num_levels])
        return self._generate(
            tf.constant(n),
            tf.constant(np.repeat(temperatures, sizes), tf.float32),
            _tf.stateless_seed(seed),
            **self.conditioning_kwargs(conditioning),
        )

    def exported_functions(self):
        """Returns the functions of the SavedModel that `export` writes.

        | function | inputs | output |
        |---|---|---|
        | `log_prob` | `images`, int32 | `log_prob` `[N]`, float32, in nats |
        | `sample` | `size`, int32; `temperature`, float32; `seed`, int32 | `images` `[size, H, W, C]`, int32 |
        | `encode` | `images`, int32 | `latents` `[N, H * W * C]`, float64 |
        | `decode` | `latents`, float64 | `images` `[N, H, W, C]`, float64 |

        Input images are `[N, H, W, C]`, where `N` may differ in every call.
        Values outside `[0, bins)` raise `tf.errors.InvalidArgumentError`. The
        results are those of the model's methods, and gradients are those of
        `gradient="store"`. The functions of a conditional flow have
        `conditioning` as their last input, float32, or int32 labels `[N]`.

        Functions of images or labels also take int64 and uint8, and raise
        `ValueError` for other dtypes. Otherwise, TensorFlow casts NumPy arrays
        to the dtypes of the table. Signatures only take these dtypes.
        """
        integer, real = (tf.TensorSpec([], d) for d in (tf.int32, tf.float32))
        noise = {"size": integer, "temperature": real, "seed": integer}
        shape = self._spec.event_specs.shape
        images = {"images": tf.TensorSpec(shape, tf.int32)}
        size = self.event_size
        latents = {"latents": tf.TensorSpec([None, size], tf.float64)}
        return {
            "log_prob": export.Function(export.log_prob, images, "log_prob"),
            "sample": export.Function(_sample, noise, "images"),
            "encode": export.Function(_encode, images, "latents"),
            "decode": export.Function(_decode, latents, "images"),
        }


# The model compiles and exports these functions of its distribution.


def _encode(flow, images, bijector_kwargs=None):
    """Computes float64 latent vectors of the centers of gray levels."""
    with tf.control_dependencies(flow.gray_level_assertions(images)):
        values = flow.dequantize(tf.cast(images, tf.float64))
    exact = precision.astype(flow.distribution.bijector, tf.float64)
    return exact.inverse(values, **bijector_kwargs or {})


def _decode(flow, latents, bijector_kwargs=None):
    """Computes float64 images, in gray levels, of latent vectors."""
    exact = precision.astype(flow.distribution.bijector, tf.float64)
    return flow.to_gray_levels(exact.forward(latents, **bijector_kwargs or {}))


def _generate(flow, size, temperature, seed, bijector_kwargs=None):
    """Draws continuous images; `seed` is a pair of integers."""
    continuous = flow.distribution
    latents = continuous.distribution.sample(size, seed=seed)
    latents = levels.scale_latents(continuous.bijector, latents, temperature)
    return continuous.bijector.forward(latents, **bijector_kwargs or {})


def _sample(flow, size, temperature, seed, **kwargs):
    """Draws integer images; `seed` is one integer."""
    seed = _tf.stateless_seed(seed)
    return flow.quantize(_generate(flow, size, temperature, seed, **kwargs))
