# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""GlowModel: a Keras model of integer images, made from hyperparameters."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow import networks
from tfp_glow.bijectors import precision
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import flows
from tfp_glow.distributions import noise_flow as dequantizer_
from tfp_glow.models import export
from tfp_glow.models import flow_model
from tfp_glow.models import saving


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
        coupling="affine",
        scale="sigmoid",
        mask="channel",
        network="paper",
        edge_padding=True,
        input_bound=networks.INPUT_BOUND,
        output_bound=networks.OUTPUT_BOUND,
        network_dtype=None,
        num_classes=None,
        conditioning_size=None,
        conditioned="all",
        classifier_weight=0.0,
        dequantizer="uniform",
        num_noise_samples=1,
        learn_split_priors=True,
        learn_top_prior=True,
        initialization="normalize",
        gradient="invert",
        **kwargs,
    ):
        """Makes the model.

        Args:
            image_shape: `(H, W, C)`.
            num_levels, num_steps, num_filters: see `Glow`.
            bins: `int`, number of grey levels of the images.
            seed: `int` or `None`, for the variables and the training noise.
            permutation, coupling, scale, mask, network, edge_padding, input_bound,
                output_bound, conditioning_size, conditioned,
                learn_split_priors, learn_top_prior, initialization, gradient:
                see `Glow`.
            num_classes: `int`, or `None`. If given, the conditioning of the
                model's methods is labels, integers `[N]` below it.
            classifier_weight: non-negative `float`, the paper's is 0.01. If
                not 0, a linear classifier of what enters the top prior,
                averaged over its pixels, is trained too: the loss is in bits
                per dimension and this times the classifier's cross-entropy in
                bits. It needs `conditioned="priors"`, or what is classified
                would know its class.
            dequantizer: `"uniform"`, or `"learned"`, a `NoiseFlow` of 4 steps
                and width 32.
            num_noise_samples: positive `int`, see `Dequantized`.
            network_dtype: `str`, see `Glow`; by default Keras' own policy, as
                `keras.config.set_dtype_policy` sets it.
            **kwargs: arguments of `keras.Model`.

        Raises:
            ValueError: if an argument is not as described.
        """
        _checks.choice("dequantizer", dequantizer, ("uniform", "learned"))
        _check_classes(
            num_classes, conditioning_size, classifier_weight, conditioned
        )
        if classifier_weight and num_noise_samples != 1:
            raise ValueError(
                "Invalid value received for argument `num_noise_samples`. "
                "Expected 1 with a classifier. Received: num_noise_samples="
                f"{num_noise_samples}"
            )
        flow_config = dict(
            image_shape=tuple(image_shape),
            num_levels=num_levels,
            num_steps=num_steps,
            num_filters=num_filters,
            seed=seed,
            permutation=permutation,
            coupling=coupling,
            scale=scale,
            mask=mask,
            network=network,
            edge_padding=edge_padding,
            input_bound=input_bound,
            output_bound=output_bound,
            network_dtype=network_dtype or keras.config.dtype_policy().name,
            conditioning_size=conditioning_size,
            conditioned=conditioned,
            learn_split_priors=learn_split_priors,
            learn_top_prior=learn_top_prior,
            initialization=initialization,
            gradient=gradient,
        )
        flow = flows.glow_distribution(
            **dict(
                flow_config, conditioning_size=num_classes or conditioning_size
            ),
            validate_args=True,
        )
        shape = flow.bijector.conditioning_shape
        super().__init__(
            dequantized.Dequantized(
                flow,
                bins,
                dequantizer=_make_dequantizer(
                    dequantizer, tuple(image_shape), bins, seed, flow_config
                ),
                num_noise_samples=num_noise_samples,
                validate_args=True,
            ),
            conditioning_fn=None if shape is None else _bijector_kwargs,
            conditioning_shape=shape,
            num_classes=num_classes,
            seed=seed,
            **kwargs,
        )
        self._config = dict(
            flow_config,
            bins=bins,
            num_classes=num_classes,
            classifier_weight=classifier_weight,
            dequantizer=dequantizer,
            num_noise_samples=num_noise_samples,
        )
        self._classifier_weight = classifier_weight
        if classifier_weight:
            self._classifier = keras.layers.Dense(
                num_classes,
                kernel_initializer="zeros",
                dtype="float32",
                name="classifier",
            )
            self._classifier.build((None, self.glow.latent_shapes[-1][-1]))
            self._accuracy_tracker = keras.metrics.SparseCategoricalAccuracy(
                name="accuracy"
            )
        self._compiled_encode = self._compiled(_encode)
        self._compiled_decode = self._compiled(_decode)
        self._compiled_generate = self._compiled(_generate)

    def _compiled(self, function):
        return _tf.compiled(
            functools.partial(self._of_flow, function, self.distribution)
        )

    def _of_flow(self, function, flow, *inputs):
        """Calls a function of a flow, its inputs, and conditioning if any."""
        kwargs = {}
        if self.is_conditional:
            *inputs, conditioning = inputs
            vectors = self._batches.conditioning_vectors(conditioning)
            kwargs["conditioning"] = vectors
        return function(flow, *inputs, **kwargs)

    def get_config(self):
        config = dict(self._config)
        if isinstance(config["network"], keras.layers.Layer):
            config["network"] = keras.layers.serialize(config["network"])
        return {
            saving.KEY: saving.VERSION,
            "name": self.name,
            "trainable": self.trainable,
            **config,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        version = config.pop(saving.KEY, 1)
        saving.check_version(version)
        if version == 1 and config.pop("additive", False):
            config["coupling"] = "additive"
        if isinstance(config.get("network"), dict):
            config["network"] = keras.layers.deserialize(
                config["network"], custom_objects
            )
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

    @property
    def num_classes(self):
        """Number of classes, or `None` if the conditioning is no labels."""
        return self._config["num_classes"]

    @property
    def has_classifier(self):
        """Whether `class_logits` is there, of a `classifier_weight` above 0."""
        return bool(self._classifier_weight)

    def _batch_log_prob(self, x, conditioning, **noise):
        if not self._classifier_weight:
            return super()._batch_log_prob(x, conditioning, **noise)
        # As `Dequantized.log_prob`, whose values the classifier needs too.
        values, log_density = self.distribution.draw(x, **noise)
        vectors = self._batches.conditioning_vectors(conditioning)
        log_prob = self.distribution.distribution.log_prob(
            values, **_bijector_kwargs(vectors)
        )
        logits = self._logits(values, vectors)
        nats = keras.losses.sparse_categorical_crossentropy(
            conditioning, logits, from_logits=True
        )
        bits = tf.reduce_sum(nats) / math.log(2.0)
        num_rows = tf.cast(tf.shape(nats)[0], bits.dtype)
        self.add_loss(
            self._classifier_weight * tf.math.divide_no_nan(bits, num_rows)
        )
        self._accuracy_tracker.update_state(conditioning, logits)
        cells = math.prod(self.image_shape) * math.log(self.bins)
        return log_prob - log_density - cells

    def _logits(self, values, vectors):
        # The flow has just been evaluated on the same tensors, which TFP keeps.
        latents = self.glow.inverse(values, conditioning=vectors)
        features = self.glow.top_features(latents, vectors)
        return self._classifier(tf.reduce_mean(features, axis=[1, 2]))

    def class_logits(self, images):
        """What the auxiliary classifier says of images.

        Args:
            images: integers, `[N, H, W, C]`.

        Returns:
            float32 `Tensor` `[N, num_classes]`, unnormalised log-probabilities,
            at the centres of grey levels.

        Raises:
            ValueError: if the model was made without `classifier_weight`.
        """
        if not self._classifier_weight:
            raise ValueError(
                "Expected a model with a classifier, of `classifier_weight` "
                "above 0. Received: one without"
            )
        self._batches.check(images, np.zeros(len(images), int))
        values = self.distribution.dequantize(tf.convert_to_tensor(images))
        # Features do not depend on the class, since only priors know it.
        zeros = tf.zeros([len(images), self._config["num_classes"]])
        return self._logits(values, zeros)

    def class_log_probs(self, images, seed=None):
        """Log-probabilities of images given every class.

        With the prior of the classes added, the largest of a row is the class
        by Bayes' rule.

        Args:
            images: integers, `[N, H, W, C]`.
            seed: as of `log_prob`; the noise is the same for every class.

        Returns:
            float32 `Tensor` `[N, num_classes]`, in nats.

        Raises:
            ValueError: if the model was made without `num_classes`.
        """
        num_classes = self._config["num_classes"]
        if num_classes is None:
            raise ValueError(
                "Expected a model of classes, made with `num_classes`. "
                "Received: one without"
            )
        labels = np.zeros(len(images), np.int32)
        return tf.stack(
            [
                self.log_prob(images, labels + label, seed=seed)
                for label in range(num_classes)
            ],
            axis=-1,
        )

    def encode(self, images, conditioning=None):
        """Latent vectors of images, taken at the centres of grey levels.

        Args:
            images: integers, `[N, H, W, C]`.
            conditioning: as of `log_prob`.

        Returns:
            float64 `Tensor` `[N, H * W * C]`; `model.glow.split_latents` gives
            its levels. The flow is computed in float64 around its float32
            networks, which makes `decode` an exact inverse.
        """
        self._batches.check(images, conditioning)
        return self._compiled_encode(
            self._batches.event_tensors(images), *self._given(conditioning)
        )

    def decode(self, latents, conditioning=None):
        """Images of latent vectors, neither rounded nor clipped.

        Args:
            latents: floats, `[N, H * W * C]`.
            conditioning: as of `log_prob`; another than that of `encode`
                gives images with the rest in common.

        Returns:
            float64 `Tensor` `[N, H, W, C]` in units of a grey level, so that
            `decode(encode(images))` is `images` up to rounding errors.
        """
        latents = tf.cast(latents, tf.float64)
        _checks.channels(self.glow, latents, self.event_size)
        self._batches.check_conditioning(conditioning, len(latents))
        return self._compiled_decode(latents, *self._given(conditioning))

    def sample(self, n, temperature=1.0, conditioning=None, seed=None):
        """Draws images.

        Args:
            n: positive `int`, how many.
            temperature: non-negative `float` that multiplies the latent noise
                at every level, or a list of one for each level, the finest
                first; below 1 images are likelier and less varied.
            conditioning: as of `log_prob`, of `n` images.
            seed: `int` or `None`.

        Returns:
            int32 `Tensor` `[n, H, W, C]` of values in `[0, bins)`.
        """
        return self.distribution.quantize(
            self.sample_values(n, temperature, conditioning, seed)
        )

    def sample_values(self, n, temperature=1.0, conditioning=None, seed=None):
        """What `sample` quantises: float32, data lie in `[-1/2, 1/2)`."""
        _checks.positive_integer(n=n)
        num_levels = self.glow.num_levels
        temperatures = np.asarray(temperature, np.float32)
        if temperatures.shape not in ((), (num_levels,)) or not np.all(
            temperatures >= 0
        ):
            raise ValueError(
                "Invalid value received for argument `temperature`. Expected "
                f"a non-negative number, or {num_levels} of them. Received: "
                f"temperature={temperature}"
            )
        self._batches.check_conditioning(conditioning, n)
        if seed is None:
            seed = np.random.randint(2**31)
        return self._compiled_generate(
            tf.constant(n),
            tf.constant(
                np.repeat(
                    np.broadcast_to(temperatures, [num_levels]),
                    [math.prod(shape) for shape in self.glow.latent_shapes],
                )
            ),
            tf.constant(seed, tf.int32),
            *self._given(conditioning),
        )

    def _given(self, conditioning):
        """List of the conditioning's tensor, empty if there is none."""
        if not self.is_conditional:
            return []
        return [self._batches.conditioning_tensor(conditioning)]

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
        methods; gradients are those of `gradient="store"`. A conditional flow's
        functions have `conditioning` as their last input, float32, or int32
        labels `[N]`.

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
        noise = {
            "size": tf.TensorSpec([], tf.int32),
            "temperature": tf.TensorSpec([], tf.float32),
            "seed": tf.TensorSpec([], tf.int32),
        }

        conditioning = {}
        if self.is_conditional:
            conditioning["conditioning"] = self._batches.conditioning_spec

        def exported(function, inputs, output):
            call = functools.partial(self._of_flow, function, flow)
            return export.Function(call, {**inputs, **conditioning}, output)

        return {
            "log_prob": exported(_log_prob, images, "log_prob"),
            "sample": exported(_sample, noise, "images"),
            "encode": exported(_encode, images, "latents"),
            "decode": exported(_decode, latents, "images"),
        }


def _make_dequantizer(name, image_shape, bins, seed, flow_config):
    if name == "uniform":
        return None
    return dequantizer_.NoiseFlow.trainable(
        image_shape,
        bins=bins,
        seed=seed,
        network_dtype=flow_config["network_dtype"],
        gradient=flow_config["gradient"],
        validate_args=True,
    )


def _bijector_kwargs(conditioning):
    return {"bijector_kwargs": {"conditioning": conditioning}}


def _log_prob(flow, images, **conditioning):
    return flow.log_prob(
        images, seed=flow_model.FIXED_SEED, bijector_kwargs=conditioning
    )


def _encode(flow, images, **conditioning):
    return _exact_glow(flow).inverse(
        flow.dequantize(tf.cast(images, tf.float64)), **conditioning
    )


def _decode(flow, latents, **conditioning):
    return flow.to_grey_levels(
        _exact_glow(flow).forward(latents, **conditioning)
    )


def _exact_glow(flow):
    return precision.astype(flow.distribution.bijector, tf.float64)


def _sample(flow, size, temperature, seed, **conditioning):
    return flow.quantize(
        _generate(flow, size, temperature, seed, **conditioning)
    )


def _generate(flow, size, temperature, seed, **conditioning):
    continuous = flow.distribution
    # TFP makes other numbers of a single seed at every call.
    noise = continuous.distribution.sample(size, seed=tf.stack([0, seed]))
    return continuous.bijector.forward(temperature * noise, **conditioning)


def _check_classes(
    num_classes, conditioning_size, classifier_weight, conditioned
):
    if num_classes is not None and conditioning_size is not None:
        raise ValueError(
            "Expected one of `num_classes` and `conditioning_size`. Received: "
            f"num_classes={num_classes}, conditioning_size={conditioning_size}"
        )
    if not classifier_weight >= 0:
        raise ValueError(
            "Invalid value received for argument `classifier_weight`. Expected "
            "a non-negative number. Received: "
            f"classifier_weight={classifier_weight}"
        )
    if classifier_weight and (num_classes is None or conditioned != "priors"):
        raise ValueError(
            "Invalid value received for argument `classifier_weight`. Expected "
            "0, unless there are classes, of which the priors alone know: "
            "num_classes, and conditioned='priors'. Received: "
            f"classifier_weight={classifier_weight}, num_classes={num_classes}, "
            f"conditioned={conditioned!r}"
        )
