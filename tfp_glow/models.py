# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras models of distributions: the bridge from TFP to Keras 3."""

import itertools
import re

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import checks
from tfp_glow import distributions
from tfp_glow import files
from tfp_glow import networks
from tfp_glow.bijectors import initialization
from tfp_glow.bijectors import precision

tfd = tfp.distributions

# Noise with which everything but training dequantises, so that it repeats.
_FIXED_SEED = (0, 0)

_EMPTY = "Expected a data set of at least one batch. Received: an empty one"

# The second form is that of the loop of a level's steps.
_NOT_FINITE = re.compile(
    r"not finite (?P<side>after) (?P<part>(?!step\])[\w ,]*\w)"
    r"|(?P<loop>\w+): (?:gradient )?not finite (?P<loop_side>after|before) "
    r"step\] \[(?P<step>\d+)"
)

# Of a bijector that is no composite tensor, as ours are,
# `tfd.TransformedDistribution` makes an instance of its base class.
_TRANSFORMED = tfd.TransformedDistribution.__bases__[0]


@keras.saving.register_keras_serializable(package="tfp_glow")
class FlowModel(keras.Model):
    """A Keras 3 model that fits a TFP distribution by maximum likelihood.

    The model adopts the distribution's variables, so that Keras' optimizers,
    callbacks and files see them, and its loss is the mean of minus the
    `log_prob`, in bits per dimension. Called on events it returns their
    log-probabilities, `[N]`, in nats; so does `predict`.

    Before its first step `fit` initialises the distribution's activation
    norms from data, once; the model's files say that it is done.

    Example:

    ```python
    flow = tfg.glow_distribution([8, 8, 1], num_levels=2, num_steps=4)
    model = tfg.FlowModel(tfg.Dequantized(flow, bins=17))
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(tfg.datasets.load("digits", batch_size=64), epochs=2)
    ```
    """

    def __init__(self, distribution, seed=None, **kwargs):
        """Makes the model.

        Args:
            distribution: `tfd.Distribution` with trainable variables.
            seed: `int` or `None`, for the dequantisation noise of training.
            **kwargs: arguments of `keras.Model`.

        Raises:
            ValueError: if the distribution has no trainable variables.
        """
        super().__init__(**kwargs)
        if not distribution.trainable_variables:
            raise ValueError(
                "Expected a distribution with trainable variables, as "
                f"`tf.Variable`s. Received: {distribution}"
            )
        self.distribution = distribution
        self._adopt(distribution.variables)
        self._initialized = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="initialized",
        )
        self._seed_generator = keras.random.SeedGenerator(seed)
        self._bits_per_dim_tracker = keras.metrics.Mean(name="bits_per_dim")
        self._compiled_log_prob = tf.function(
            distribution.log_prob, reduce_retracing=True
        )
        self.built = True

    def _adopt(self, variables):
        """Tracks `tf.Variable`s as Keras variables that share their storage."""
        names = set()
        for variable in variables:
            stem = name = variable.name.split(":")[0].replace("/", ".")
            number = 1
            while name in names:  # Files keep variables by name.
                number += 1
                name = f"{stem}_{number}"
            names.add(name)
            self._track_variable(
                keras.Variable(
                    initializer=variable,
                    trainable=variable.trainable,
                    name=name,
                )
            )

    @property
    def event_size(self):
        """Number of dimensions of an event."""
        return self.distribution.event_shape.num_elements()

    @property
    def initialized(self):
        """Whether the activation norms have been set from data."""
        return bool(self._initialized.numpy())

    @property
    def _is_dequantized(self):
        return isinstance(self.distribution, distributions.Dequantized)

    def make_train_function(self, force=False):
        # A step that makes the optimizer's variables is traced twice.
        with self.distribute_strategy.scope():
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def call(self, x, training=False):
        x = self._as_events(x)
        if not self._is_dequantized:
            return self.distribution.log_prob(x)
        seed = _FIXED_SEED
        if training:
            seed = tf.cast(self._seed_generator.next(), tf.int32)
        return self.distribution.log_prob(x, seed=seed)

    def log_prob(self, x, seed=None):
        """Log-probabilities of events.

        Args:
            x: events, `[N, ...]`, as an array or `Tensor`.
            seed: `int` or `None`, for the dequantisation noise; `None` is a
                fixed one, so that calls repeat. The mean over seeds is a less
                noisy estimate of the same bound.

        Returns:
            floating `Tensor` `[N]`, in nats.
        """
        self._check_events(x)
        x = self._as_events(x)
        if not self._is_dequantized:
            return self._compiled_log_prob(x)
        seed = _FIXED_SEED if seed is None else (0, seed)
        return self._compiled_log_prob(x, seed=tf.constant(seed, tf.int32))

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """Mean bits per dimension, weighted by `sample_weight` if given."""
        bits = distributions.bits_per_dim(y_pred, self.event_size)
        self._bits_per_dim_tracker.update_state(bits, sample_weight)
        if sample_weight is not None:
            bits *= tf.cast(sample_weight, bits.dtype)
        loss = tf.reduce_mean(bits)
        if self.losses:
            loss += tf.add_n(self.losses)
        return tf.debugging.check_numerics(loss, "not finite after the loss")

    def fit(self, x=None, *args, init_batches=1, callbacks=None, **kwargs):
        """Trains the model, as `keras.Model.fit` does.

        Args:
            x: integer images, or whatever events the distribution is over: an
                array, a `Tensor` or a batched `tf.data.Dataset`, with or
                without labels, which are ignored.
            *args: as in `keras.Model.fit`.
            init_batches: positive `int`, number of batches from which the
                activation norms are initialised, unless they have been.
            callbacks: as in `keras.Model.fit`.
            **kwargs: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            TypeError, ValueError: before any training, if the data do not
                fit the distribution.
            FloatingPointError: when a loss is not finite, naming the step and
                the first layer whose values are not.
        """
        checks.positive_integer(init_batches=init_batches)
        if isinstance(x, tf.data.Dataset):
            _check_dataset(x, self.distribution)
        else:
            self._check_events(x)
        if not self.initialized:
            batch_size = kwargs.get("batch_size") or 32
            self.initialize(_first_events(x, init_batches, batch_size))
        if isinstance(x, tf.data.Dataset):
            kwargs.setdefault("shuffle", False)  # A data set shuffles itself.
        position = _Position()
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = callbacks.callbacks
        callbacks = [*keras.tree.flatten(callbacks or []), position]
        _label_weighted(x, args, kwargs)
        try:
            return super().fit(x, *args, callbacks=callbacks, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            found = _NOT_FINITE.search(error.message or "")
            if found is None:
                raise
            layer = found["part"] or (
                f"{found['loop'].replace('_', ' ')}, step {found['step']}"
            )
            # The gradients are checked at the same places. By then some weights
            # may have been updated.
            side = found["side"] or found["loop_side"]
            if "detected in gradient" in error.message or side == "before":
                raise FloatingPointError(
                    "Expected a finite gradient. Received one that is not, "
                    f"{position}, of the values {side} {layer}"
                ) from error
            raise FloatingPointError(
                f"Expected a finite loss. Received one that is not, {position}"
                "; the first values that are not finite come after "
                f"{layer}. The weights are those before it"
            ) from error

    def evaluate(self, x=None, *args, **kwargs):
        """Evaluates the model, as `keras.Model.evaluate` does."""
        _label_weighted(x, args, kwargs)
        return super().evaluate(x, *args, **kwargs)

    def initialize(self, x):
        """Initialises the activation norms from data.

        Args:
            x: events, as an array or `Tensor` of shape `[N, ...]`.

        Raises:
            TypeError, ValueError: if `x` does not fit the distribution.
        """
        self._check_events(x)
        x = self._as_events(x)
        distribution = self.distribution
        if self._is_dequantized:
            continuous = distribution.distribution
            noise = tf.random.stateless_uniform(
                x.shape, seed=_FIXED_SEED, dtype=continuous.dtype
            )
            x = distribution.dequantize(x, noise)
            distribution = continuous
        while isinstance(distribution, _TRANSFORMED):
            x = initialization.initialize_inverse(distribution.bijector, x)
            distribution = distribution.distribution
        self._initialized.assign(1)

    def save(self, filepath, *args, **kwargs):
        """Saves as `keras.Model.save` does, but never a part of a file.

        The file is written under a temporary name beside `filepath` and then
        renamed, so that an interruption leaves an earlier file whole.
        """
        with files.replacing(filepath) as temporary:
            super().save(temporary, *args, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """Saves as `keras.Model.save_weights`, but never a part of a file."""
        with files.replacing(filepath) as temporary:
            super().save_weights(temporary, *args, **kwargs)

    def save_own_variables(self, store):
        for variable in self._own_variables():
            store[variable.name] = variable

    def load_own_variables(self, store):
        expected = {variable.name for variable in self._own_variables()}
        received = set(store.keys())
        if expected != received:
            differing = sorted(expected ^ received)
            raise ValueError(
                "The file holds the weights of another distribution. Expected "
                f"{len(expected)} variables. Received: {len(received)}; names "
                f"in one alone are {', '.join(differing[:5])}"
            )
        for variable in self._own_variables():
            if variable.shape != store[variable.name].shape:
                raise ValueError(
                    "The file holds the weights of another distribution. "
                    f"Expected `{variable.name}` of shape {variable.shape}. "
                    f"Received: {store[variable.name].shape}"
                )
        for variable in self._own_variables():
            variable.assign(store[variable.name])

    def _own_variables(self):
        return self._trainable_variables + self._non_trainable_variables

    def _as_events(self, x):
        """A `Tensor`, and of the distribution's dtype if that is floating."""
        x = tf.convert_to_tensor(x)
        return (
            x if self._is_dequantized else tf.cast(x, self.distribution.dtype)
        )

    def _check_events(self, x):
        x = x if tf.is_tensor(x) else np.asarray(x)
        checks.events(x.shape, x.dtype, self.distribution)
        checks.event_values(x, getattr(self.distribution, "bins", None))


@keras.saving.register_keras_serializable(package="tfp_glow")
class GlowModel(FlowModel):
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
        return {**super().get_config(), **self._config}

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
        self._check_events(images)
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


class _Position(keras.callbacks.Callback):
    """Knows the current step, and stops at a loss that the graph cannot check.

    XLA drops the checks inside the step, so there the loss itself is read.
    """

    def __str__(self):
        if self._validating:
            return f"in the validation after step {self._done}"
        count = self.model.steps_per_execution
        if count == 1:
            return f"at step {self._done + 1}"
        return f"at one of the steps {self._done + 1} to {self._done + count}"

    def on_train_begin(self, logs=None):
        self._done = int(self.model.optimizer.iterations)
        self._validating = False

    def on_epoch_begin(self, epoch, logs=None):
        self._done_before = self._done

    def on_train_batch_end(self, batch, logs=None):
        if self.model.jit_compile and not np.isfinite(logs["loss"]):
            raise FloatingPointError(
                f"Expected a finite loss. Received {logs['loss']} {self}. With "
                "`jit_compile=False` the first layer whose values are not "
                "finite would be named"
            )
        self._done = self._done_before + batch + 1

    def on_test_begin(self, logs=None):
        self._validating = True

    def on_test_end(self, logs=None):
        self._validating = False


def _check_dataset(dataset, distribution):
    """Raises unless a `tf.data.Dataset` gives batches of events."""
    spec = dataset.element_spec
    spec = spec[0] if isinstance(spec, tuple) else spec
    if not isinstance(spec, tf.TensorSpec):
        raise TypeError(
            "Invalid data set received. Expected batches of events, or pairs "
            f"of them and labels. Received: {dataset.element_spec}"
        )
    checks.events(spec.shape, spec.dtype, distribution)
    if dataset.cardinality() == 0:
        raise ValueError(_EMPTY)


def _label_weighted(x, args, kwargs):
    """Adds labels, without which Keras drops the samples' weights."""
    weighted = kwargs.get("sample_weight") is not None
    if weighted and not args and kwargs.get("y") is None:
        kwargs["y"] = np.zeros(len(x))


def _first_events(x, num_batches, batch_size):
    """The first events of an array or a batched data set."""
    if not isinstance(x, tf.data.Dataset):
        return x[: num_batches * batch_size]
    batches = list(itertools.islice(x, num_batches))
    if not batches:
        raise ValueError(_EMPTY)
    batches = [b[0] if isinstance(b, tuple) else b for b in batches]
    return tf.concat(batches, axis=0)
