# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""LikelihoodModel: Keras' training, with log-probabilities as the output."""

import functools
import inspect

import keras
import tensorflow as tf

from tfp_glow import _arguments
from tfp_glow import _checks
from tfp_glow.distributions import units
from tfp_glow.models import averages
from tfp_glow.models import data as data_
from tfp_glow.models import messages
from tfp_glow.models import nan_report
from tfp_glow.models import penalties
from tfp_glow.models import policies
from tfp_glow.models import recipe
from tfp_glow.models import replicas
from tfp_glow.models import saving
from tfp_glow.models import strategies
from tfp_glow.models import summary
from tfp_glow.models import xla

# Keras' callbacks know this only of compiled metrics.
_MODES = {"bits_per_dim": "min", "nats": "min", "accuracy": "max"}


class LikelihoodModel(keras.Model):
    """A Keras model that is trained by maximum likelihood.

    A subclass implements `call`, which returns the log-probabilities `[N]` of
    events or of pairs of events and conditioning, and `initialize`. `spec` is
    the `event_spec.EventSpec` of the data.
    """

    def __init__(self, spec, seed=None, **kwargs):
        # Densities are computed in float32, whatever the policy. Keras scales
        # the loss of a model whose policy is mixed_float16.
        policy = keras.config.dtype_policy().name
        policy = policy if policy in policies.NAMES else "float32"
        policy = kwargs.get("dtype") or policy
        policy = keras.dtype_policies.get(getattr(policy, "name", policy))
        _checks.choice("dtype", policy.name, (*policies.NAMES, "float64"))
        kwargs["dtype"] = policy
        super().__init__(autocast=False, **kwargs)
        self._spec = spec
        self._stability_penalty = 0.0
        self._seed_generator = keras.random.SeedGenerator(_checks.seed(seed))
        self._nats_tracker = keras.metrics.Mean(name="nats")
        self._bits_per_dim_tracker = None
        if spec.event_size is not None:
            self._bits_per_dim_tracker = keras.metrics.Mean(name="bits_per_dim")

    def _autoconvert_optionals(self, step_func):
        # Every step of Keras passes its batch through this function.
        def step(data):
            with xla.tracing(self):
                return step_func(self._with_conditioning(data))

        return super()._autoconvert_optionals(step)

    @property
    def layers(self):
        """Keras' layers, followed by the parts of the distribution."""
        # Files hold layers at their positions, and ignore the parts.
        return [*super().layers, *self._parts()]

    @property
    def metrics(self):
        """The metrics of the model's own training and evaluation."""
        # As a part of another model it reports none.
        return super().metrics if self.compiled else []

    def __repr__(self):
        parts = "; ".join(map(str, self._parts()))
        return f"<{type(self).__name__} {self.name!r}: {parts}>"

    def _parts(self):
        return summary.parts(self._spec.distribution, self.named_variables)

    def _with_conditioning(self, data):
        """Makes events and conditioning one input, which `call` receives."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if self._spec.is_conditional and y is not None:
            x = (x, y)
        return x, y, sample_weight

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this before it traces a step. `fit` builds the optimizer by
        # itself, because evaluation from an iterator does not need one.
        if data_batch is not None:
            self._build_optimizer()
        # Only compiled metrics remain to be built. For them, Keras reads a
        # batch under a strategy, after which shuffled data have another order.
        if self._compile_metrics is not None:
            super()._maybe_symbolic_build(iterator, data_batch)

    def _build_optimizer(self):
        # A step that creates the variables of the optimizer is traced twice.
        # `LossScaleOptimizer` would create them at every call.
        optimizer = getattr(self, "optimizer", None)
        if optimizer is not None and not optimizer.built:
            with self.distribute_strategy.scope():
                optimizer.build(self.trainable_variables)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Computes the mean negative log-likelihood of a batch.

        It is in bits per dimension, or in nats if the size of an event is not
        known. `sample_weight` multiplies the values of single events.
        """
        loss = nats = -y_pred
        self._nats_tracker.update_state(nats, sample_weight)
        if self._bits_per_dim_tracker is not None:
            loss = units.bits_per_dim(y_pred, self._spec.event_size)
            self._bits_per_dim_tracker.update_state(loss, sample_weight)
        if sample_weight is not None:
            weights = tf.cast(sample_weight, loss.dtype)
            loss *= tf.reshape(weights, tf.shape(loss))
        num_rows = tf.shape(loss)[0]
        # A replica may receive no rows of the last batch.
        loss = tf.math.divide_no_nan(
            tf.reduce_sum(loss), tf.cast(num_rows, loss.dtype)
        )
        if self.losses:
            loss += tf.cast(tf.add_n(self.losses), loss.dtype)
        if training and self._stability_penalty:
            loss += tf.cast(self._penalty(x, num_rows), loss.dtype)
        if training:
            replicas.clip_sum_of_gradients(self.optimizer)
            loss = replicas.weight_gradient(loss, num_rows)
        # Gradients are summed over the replicas.
        loss /= tf.distribute.get_strategy().num_replicas_in_sync
        # `nan_report` reads this message.
        return tf.debugging.check_numerics(
            loss, "loss: not finite after the loss"
        )

    def _penalty(self, x, num_rows):
        """Computes the mean penalty of a batch in some steps, 0 in others."""
        conditioning = None
        if self._spec.is_conditional:
            x, conditioning = x
        x = self._spec.event_tensors(x)
        kwargs = self.conditioning_kwargs(conditioning).get("bijector_kwargs")
        distribution = self._spec.distribution
        step = tf.cast(self.optimizer.iterations, tf.int32)
        seed = tf.stack([step, 0])

        def compute():
            values = replicas.of_rows(
                lambda: penalties.penalty(distribution, x, seed, kwargs),
                num_rows,
                self._spec.log_prob_dtype,
            )
            rows = tf.cast(num_rows, values.dtype)
            return tf.math.divide_no_nan(tf.reduce_sum(values), rows)

        value = tf.cond(
            step % penalties.INTERVAL == 0,
            compute,
            lambda: tf.zeros([], self._spec.log_prob_dtype),
        )
        return self._stability_penalty * value

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if y is None and self._compile_metrics is not None:
            y = tf.zeros_like(y_pred)
        values = super().compute_metrics(x, y, y_pred, sample_weight)
        return replicas.logs(values)

    def _check_compiled(self):
        """Raises `ValueError` for a loss, and for metrics that compare labels."""
        expected, metrics = None, self._compile_metrics
        for metric in keras.tree.flatten(
            metrics and [metrics._user_metrics, metrics._user_weighted_metrics]
        ):
            function = getattr(metric, "_fn", metric)
            source = getattr(function, "__module__", "keras").split(".")[0]
            if metric is not None and source == "keras":
                expected = (
                    "metrics of log-probabilities, functions `f(labels, "
                    "log_probs)` or subclasses of `keras.metrics.Metric`. "
                    "Keras' own compare predictions with labels. "
                    "`bits_per_dim` and `nats` are always reported. Received: "
                    f"metrics=[{metric!r}]"
                )
        if self._compile_loss is not None:
            expected = (
                "no loss, because a flow is trained by its own, the negative "
                f"log-likelihood. Received: loss={self.loss!r}"
            )
        if expected:
            # Another `compile` would keep what it does not replace.
            self._compile_loss = self._compile_metrics = None
            self.compiled = False
            raise ValueError(f"Expected `compile` to receive {expected}")

    @functools.partial(_arguments.suggesting, extends=keras.Model.compile)
    def compile(
        self, optimizer="recipe", *args, stability_penalty=0.0, **kwargs
    ):
        """Configures the training, as `keras.Model.compile` does.

        Args:
            optimizer: a Keras optimizer or its name, or `"recipe"`, that of
                `tfg.recipe.make_optimizer()`. With an optimizer of the recipe,
                `fit` validates the averaged weights, callbacks such as
                `ModelCheckpoint` and `EarlyStopping` keep them, and they are
                the model's weights in the end.
            stability_penalty: non-negative `float`, 1e-4 in the paper. If it is
                not 0, every tenth step adds it times `penalties.penalty` to the
                loss, which keeps the flow and its inverse from stretching
                distances. The distribution must be a transformed one. XLA does
                not compile such steps.
            *args, **kwargs: see `keras.Model.compile`. A loss is an error. With
                `jit_compile="auto"`, the default, XLA also compiles trainings
                on a CPU of at least 1,000 steps on events of at most 1,024
                dimensions, such as images of 32x32x1. Compilation takes 9 to
                15 seconds, and then steps take 0.4 to 0.8 of the time.
        """
        penalty = penalties.check(self._spec.distribution, stability_penalty)
        if penalty:
            # XLA does not compile the gradient of a loop in one branch only.
            if kwargs.get("jit_compile", "auto") not in ("auto", False):
                expected = f"False or 'auto' with stability_penalty={penalty}"
                raise _checks.invalid_value(
                    "jit_compile", kwargs["jit_compile"], expected
                )
            kwargs["jit_compile"] = False
        if isinstance(optimizer, str) and optimizer == "recipe":
            with self.distribute_strategy.scope():
                optimizer = recipe.make_optimizer()
        super().compile(optimizer, *args, **kwargs)
        self._check_compiled()
        self._stability_penalty = penalty
        if penalty:
            self._compile_config.config["stability_penalty"] = penalty
        self._chooses_xla = kwargs.get("jit_compile", "auto") == "auto"
        if self._chooses_xla:
            # Files hold this rather than what it means on this machine.
            self._compile_config.config["jit_compile"] = "auto"

    def compile_from_config(self, config):
        # Keras loads a model without compiling it if it overrides `compile`.
        self.compile(**keras.saving.deserialize_keras_object(config))
        self._build_optimizer()

    @functools.partial(_arguments.suggesting, extends=keras.Model.fit)
    def fit(self, x=None, y=None, *args, init_batches=1, **kwargs):
        """Trains the model, as `keras.Model.fit` does.

        Args:
            x: integer images, or other events of the distribution: an array,
                anything like one, or batches of a `tf.data.Dataset`, a
                `keras.utils.PyDataset`, a generator or another iterable.
            y: the conditioning, if there is any; otherwise labels, which only
                `class_weight` and metrics of your own read. Batches contain
                both: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
            init_batches: positive `int`, number of batches from which the
                activation norms are initialized, once. Files remember it.
            *args, **kwargs: see `keras.Model.fit`.

        Raises:
            TypeError, ValueError: before any training, if the data do not
                fit the distribution.
            FloatingPointError: if a loss is not finite. The message names the
                step and the first layer whose values are not.
        """
        [init_batches] = _checks.positive_integer(init_batches=init_batches)
        fit = super().fit
        given = inspect.signature(fit).bind(x, y, *args, **kwargs).arguments
        _check_numbers(given)
        callbacks = given.get("callbacks")
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = callbacks.callbacks
        callbacks = keras.tree.flatten(callbacks or [])
        saving.check_callbacks(self, callbacks)
        data_.check_epochs(x, "steps_per_epoch", given)
        count = 0 if self.initialized else init_batches
        batches = self._standardize(given, count)
        x = given["x"]
        if batches or isinstance(x, tf.data.Dataset):
            given.setdefault(
                "shuffle", getattr(x, "num_batches", None) is not None
            )
        if given.get("validation_data") is not None:
            names = ("x", "y", "sample_weight")
            parts = keras.utils.unpack_x_y_sample_weight(
                given["validation_data"]
            )
            validation = dict(zip(names, parts))
            data_.check_epochs(parts[0], "validation_steps", given)
            self._standardize(validation)
            given["validation_data"] = tuple(map(validation.get, names))
        narrators = []
        if self.compiled:
            self._build_optimizer()
            if self._chooses_xla:
                xla.choose(self, given)
            narrators = messages.narrators(self, given, callbacks)
        if not self.initialized:
            size = init_batches * (given.get("batch_size") or 32)
            arrays = given["x"], given["y"]
            self.initialize(*self._spec.first(*arrays, batches, size))
        position = nan_report.Position()
        # The step is known after callbacks such as `BackupAndRestore`.
        noise = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: self._continue_noise()
        )
        for callback in callbacks:
            name = getattr(callback, "monitor", "").removeprefix("val_")
            if getattr(callback, "mode", None) == "auto":
                callback.mode = _MODES.get(name, "auto")
        try:
            with (
                nan_report.translated(position),
                averages.evaluated(self, callbacks) as callbacks,
            ):
                given["callbacks"] = [*callbacks, noise, position, *narrators]
                return fit(**given)
        except KeyboardInterrupt:
            for narrator in narrators:
                narrator.end("by Ctrl-C")
            raise

    def _continue_noise(self):
        """Sets the noise generator to the state of the present step.

        Files do not hold its position in the stream. A model that was loaded
        would otherwise repeat the noise of the first step.
        """
        state = self._seed_generator.state
        seed = tf.convert_to_tensor(state)[0]
        step = tf.cast(self.optimizer.iterations, seed.dtype)
        state.assign(tf.stack([seed, step]))

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Computes the loss and the metrics, as `keras.Model.evaluate` does.

        `x` and `y` are those of `fit`. `sample_weight` needs no labels.
        """
        evaluate = super().evaluate
        bound = inspect.signature(evaluate).bind(x, y, *args, **kwargs)
        given = dict(bound.arguments)
        given.update(given.pop("kwargs", {}))
        if "_use_cached_eval_dataset" not in given:
            self._standardize(given)
        return evaluate(**given)

    def _standardize(self, arguments, count=0):
        """Changes arguments of `fit` to what Keras can read.

        Returns the first `count` batches, if the data are batches.
        """
        names = ("x", "y", "sample_weight", "class_weight")
        given = {n: arguments.pop(n) for n in names if n in arguments}
        standard, batches = data_.standard(self._spec, **given, count=count)
        arguments.update(standard)
        if isinstance(arguments["x"], tf.data.Dataset):
            arguments["x"] = strategies.shard(
                arguments["x"], self.distribute_strategy
            )
        return batches


def _check_numbers(arguments):
    """Checks the numbers among arguments of `fit`, and converts them."""
    for name in arguments.keys() & {"batch_size", "epochs", "initial_epoch"}:
        minimum, expected = 0, "a non-negative integer"
        if name == "batch_size":
            minimum, expected = 1, "a positive integer or None"
        if arguments[name] is not None:
            value = {name: arguments[name]}
            [arguments[name]] = _checks.integers(minimum, expected, **value)
    if "validation_split" in arguments:
        arguments["validation_split"] = _checks.number(
            "validation_split",
            arguments["validation_split"],
            "a number in [0, 1)",
            lambda value: 0.0 <= value < 1.0,
        )
