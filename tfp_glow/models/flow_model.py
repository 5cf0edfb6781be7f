# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""FlowModel: a Keras model that fits any TFP distribution."""

import contextlib

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow import _files
from tfp_glow import _tf
from tfp_glow.bijectors import Glow
from tfp_glow.bijectors import initialization
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import noise_flow
from tfp_glow.distributions import units
from tfp_glow.models import event_spec
from tfp_glow.models import export
from tfp_glow.models import nan_report
from tfp_glow.models import replicas
from tfp_glow.models import saving
from tfp_glow.models import strategies
from tfp_glow.models import tracking

tfd = tfp.distributions

# Noise with which everything but training dequantises, so that it repeats.
FIXED_SEED = (0, 0)

# Of a bijector that is no composite tensor, as ours are,
# `tfd.TransformedDistribution` makes an instance of its base class.
_TRANSFORMED = tfd.TransformedDistribution.__bases__[0]


@keras.saving.register_keras_serializable(package="tfp_glow")
class FlowModel(keras.Model):
    """A Keras 3 model that fits a TFP distribution by maximum likelihood.

    The model adopts the distribution's variables and Keras layers, also those
    that only a closure knows or that a first call makes, so that Keras'
    optimizers, callbacks and files see them. Its loss is the mean of minus the
    `log_prob`, in bits per dimension. Called on events it returns their
    log-probabilities, `[N]`, in nats; so does `predict`. Being a Keras layer
    too, it can be a part of another Keras model.

    Before its first step `fit` initialises the distribution's activation
    norms from data, once; the model's files say that it is done.

    Made in the `scope()` of a `tf.distribute` strategy, with its distribution,
    it trains on several devices or machines, to the weights that one device
    would have of the same global batches. All workers then make the same
    calls, with the same data in the same order; the chief's files are enough.

    With `conditioning_fn` the distribution is conditional. Then the
    conditioning takes the place of Keras' labels: `fit(x, conditioning)`, a
    data set of pairs, `validation_data=(x, conditioning)`. Called as a layer,
    the model takes it as its second argument.

    Example:

    ```python
    made = tfb.AutoregressiveNetwork(
        2, event_shape=[2], hidden_units=[32], conditional=True,
        conditional_event_shape=[3],
    )
    flow = tfd.TransformedDistribution(
        tfd.Sample(tfd.Normal(0.0, 1.0), [2]),
        tfb.MaskedAutoregressiveFlow(made, name="maf"),
    )
    model = tfg.FlowModel(
        flow,
        conditioning_fn=lambda c: {
            "bijector_kwargs": {"conditional_input": c}
        },
        conditioning_shape=[3],
    )
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x, conditioning, epochs=2)  # [N, 2] and [N, 3]
    model.sample(5, conditioning[:5])  # [5, 2]
    ```
    """

    def __init__(
        self,
        distribution,
        conditioning_fn=None,
        conditioning_shape=None,
        num_classes=None,
        seed=None,
        **kwargs,
    ):
        """Makes the model.

        Args:
            distribution: `tfd.Distribution` with trainable variables and a
                batch shape of `[]`.
            conditioning_fn: callable from a batch of conditioning, a floating
                `Tensor` `[N, *conditioning_shape]`, to a dictionary of keyword
                arguments of the distribution's `log_prob` and `sample`;
                `None` if it has none.
            conditioning_shape: shape of one event's conditioning; needed with
                `conditioning_fn`, unless it is labels.
            num_classes: `int` if the conditioning is labels, integers `[N]`
                below it, which `conditioning_fn` gets as one-hot vectors
                `[N, num_classes]`.
            seed: `int` or `None`, for the dequantisation noise of training.
            **kwargs: arguments of `keras.Model`.

        Raises:
            TypeError: if `distribution` is no `tfd.Distribution`.
            ValueError: if it has no trainable variables or a batch shape, if
                its `log_prob` cannot be differentiated, or if only one of the
                arguments of conditioning is given.
        """
        if num_classes is not None:
            _checks.positive_integer(num_classes=num_classes)
            conditioning_shape = ()
        _check_arguments(distribution, conditioning_fn, conditioning_shape)
        # Densities stay in float32 whatever the policy, which is for networks.
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self._conditioning_fn = conditioning_fn
        self._batches = event_spec.Batches(
            distribution,
            None if conditioning_fn is None else tuple(conditioning_shape),
            num_classes,
        )
        self._adopt(distribution)
        self._initialized = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="initialized",
        )
        self._seed_generator = keras.random.SeedGenerator(seed)
        self._nats_tracker = keras.metrics.Mean(name="nats")
        self._bits_per_dim_tracker = None
        if self.event_size is not None:
            self._bits_per_dim_tracker = keras.metrics.Mean(name="bits_per_dim")
        self._compiled_log_prob = _tf.compiled(self._distribution_log_prob)
        self._compiled_sample = _tf.compiled(self._distribution_sample)
        self.built = True

    def _adopt(self, distribution):
        """Makes the distribution's variables and layers the model's own."""
        call, specs = None, ()
        if not _variables_hang_from(distribution):
            specs = (self._batches.event_specs,)
            if self.is_conditional:
                specs += (self._batches.conditioning_spec,)

            def call(x, conditioning=None):
                kwargs = self._conditioning_kwargs(conditioning)
                return distribution.log_prob(x, **kwargs)

        adopted = tracking.adopt(distribution, call, specs)
        if not any(v.trainable for v in adopted.variables.values()):
            raise ValueError(
                "Expected a distribution with trainable variables, "
                "`tf.Variable`s or those of Keras layers. Received: "
                f"{distribution}"
            )
        if not adopted.is_differentiable:
            raise ValueError(
                "Expected a distribution whose `log_prob` can be "
                "differentiated with respect to its variables. Received one "
                f"without any gradient: {distribution}"
            )
        for variable in adopted.of_no_layer:
            self._track_variable(variable)
        # For `tf.train.Checkpoint`, to which Keras' lists are opaque.
        for name, variable in adopted.variables.items():
            self._track_trackable(variable, name)
        # Not an attribute of ours, through which Keras would write the layers a
        # second time, beside `save_own_variables`, by their positions.
        self._layers.extend(adopted.layers)
        self._adopted = adopted

    @property
    def distribution(self):
        """The `tfd.Distribution`."""
        return self._adopted.root

    @property
    def named_variables(self):
        """Dictionary of the variables that files hold, by stable names."""
        return {**self._adopted.variables, "initialized": self._initialized}

    @property
    def is_conditional(self):
        """Whether the distribution has conditioning."""
        return self._conditioning_fn is not None

    @property
    def event_size(self):
        """Number of dimensions of an event, or `None` if it is not known."""
        sizes = [
            tf.TensorShape(shape).num_elements()
            for shape in tf.nest.flatten(self.distribution.event_shape)
        ]
        return None if None in sizes else sum(sizes)

    @property
    def initialized(self):
        """Whether the activation norms have been set from data."""
        return bool(self._initialized.numpy())

    @property
    def _is_dequantized(self):
        return isinstance(self.distribution, dequantized.Dequantized)

    def make_train_function(self, force=False):
        # A step that makes the optimizer's variables is traced twice.
        strategy = self.distribute_strategy
        with strategy.scope():
            self.optimizer.build(self.trainable_variables)
        if strategy.num_replicas_in_sync > 1:
            replicas.clip_sum_of_gradients(self.optimizer)
        return super().make_train_function(force)

    def train_step(self, data):
        return self._logs_of_replica(super().train_step(data))

    def test_step(self, data):
        return self._logs_of_replica(super().test_step(data))

    def _logs_of_replica(self, logs):
        # Keras takes their mean over workers along an axis.
        if strategies.num_workers(self.distribute_strategy) == 1:
            return logs
        return {name: tf.reshape(value, [1]) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # All but compiled metrics has been built. Keras would take a batch for
        # it, so that a shuffled data set goes on with another order, and fails
        # if that is of several workers.
        if self._compile_metrics is not None:
            super()._maybe_symbolic_build(iterator, data_batch)

    def call(self, x, conditioning=None, training=False):
        if self.is_conditional and conditioning is None:
            x, conditioning = self._batches.split(x)
        x = self._batches.event_tensors(x)
        conditioning = self._batches.conditioning_tensor(conditioning)
        num_rows = tf.shape(tf.nest.flatten(x)[0])[0]
        noise = {}
        if self._is_dequantized:
            noise["seed"] = FIXED_SEED
            if training:
                noise["seed"] = tf.cast(self._seed_generator.next(), tf.int32)
            noise["first_row"] = replicas.first_row(num_rows)
        return replicas.of_rows(
            lambda: self._batch_log_prob(x, conditioning, **noise),
            num_rows,
            self._log_prob_dtype,
        )

    def _batch_log_prob(self, x, conditioning, **noise):
        """What `call` returns; a subclass may add losses of the batch."""
        return self._distribution_log_prob(x, conditioning, **noise)

    def compute_output_spec(self, x, conditioning=None, training=False):
        batch_size = keras.tree.flatten(x)[0].shape[0]
        return keras.KerasTensor([batch_size], dtype=self._log_prob_dtype)

    @property
    def _log_prob_dtype(self):
        continuous = self.distribution
        if self._is_dequantized:
            continuous = continuous.distribution
        dtypes = [tf.as_dtype(d) for d in tf.nest.flatten(continuous.dtype)]
        return next((d.name for d in dtypes if d.is_floating), "float32")

    def log_prob(self, x, conditioning=None, seed=None):
        """Log-probabilities of events.

        Args:
            x: events, `[N, ...]`, as an array or `Tensor`; nested as the
                distribution's events are.
            conditioning: `[N, *conditioning_shape]`, if there is any.
            seed: `int` or `None`, for the dequantisation noise; `None` is a
                fixed one, so that calls repeat. The mean over seeds is a less
                noisy estimate of the same bound.

        Returns:
            floating `Tensor` `[N]`, in nats.

        Raises:
            TypeError, ValueError: if the arguments do not fit the distribution.
        """
        self._batches.check(x, conditioning)
        noise = {}
        if self._is_dequantized:
            seed = FIXED_SEED if seed is None else (0, seed)
            noise["seed"] = tf.constant(seed, tf.int32)
        return self._compiled_log_prob(
            self._batches.event_tensors(x),
            self._batches.conditioning_tensor(conditioning),
            **noise,
        )

    def sample(self, n, conditioning=None, seed=None):
        """Draws events.

        Args:
            n: positive `int`, how many.
            conditioning: `[n, *conditioning_shape]`, if there is any.
            seed: `int` or `None`.

        Returns:
            `Tensor` `[n, ...]`, nested as the distribution's events are.
        """
        _checks.positive_integer(n=n)
        self._batches.check_conditioning(conditioning, n)
        if seed is None:
            seed = np.random.randint(2**31)
        # TFP makes other numbers of an `int` seed at every call.
        return self._compiled_sample(
            tf.constant(n),
            self._batches.conditioning_tensor(conditioning),
            tf.constant((0, seed), tf.int32),
        )

    def draw(self, n, conditioning, seed):
        """As `sample`, of tensors alone, for use inside other models.

        Args:
            n: integer scalar `Tensor`.
            conditioning: `Tensor` `[n, *conditioning_shape]`, or `None`.
            seed: integer `Tensor` `[2]`.

        Returns:
            As `sample`.
        """
        return self._distribution_sample(
            n, self._batches.conditioning_tensor(conditioning), seed
        )

    def compute_loss(
        self,
        x=None,
        y=None,
        y_pred=None,
        sample_weight=None,
        training=True,
    ):
        """The mean, weighted by `sample_weight` if given.

        In bits per dimension, or in nats where the size of an event is unknown.
        """
        loss = nats = -y_pred
        self._nats_tracker.update_state(nats, sample_weight)
        if self._bits_per_dim_tracker is not None:
            loss = units.bits_per_dim(y_pred, self.event_size)
            self._bits_per_dim_tracker.update_state(loss, sample_weight)
        if sample_weight is not None:
            loss *= tf.cast(sample_weight, loss.dtype)
        num_rows = tf.shape(loss)[0]
        # Of a last batch a replica may get nothing.
        loss = tf.math.divide_no_nan(
            tf.reduce_sum(loss), tf.cast(num_rows, loss.dtype)
        )
        if self.losses:
            loss += tf.cast(tf.add_n(self.losses), loss.dtype)
        if training:
            loss = replicas.weight_gradient(loss, num_rows)
        # Gradients are summed over the replicas.
        loss /= tf.distribute.get_strategy().num_replicas_in_sync
        return nan_report.check_loss(loss)

    def fit(self, x=None, y=None, *args, init_batches=1, **kwargs):
        """Trains the model, as `keras.Model.fit` does.

        Args:
            x: integer images, or whatever events the distribution is over: an
                array, a `Tensor` or a batched `tf.data.Dataset`.
            y: the conditioning, if there is any; else labels, which are
                ignored. A data set gives pairs of both.
            *args: as in `keras.Model.fit`.
            init_batches: positive `int`, number of batches from which the
                activation norms are initialised, unless they have been.
            **kwargs: as in `keras.Model.fit`.

        Returns:
            `keras.callbacks.History`.

        Raises:
            TypeError, ValueError: before any training, if the data do not
                fit the distribution.
            FloatingPointError: when a loss is not finite, naming the step and
                the first layer whose values are not.
        """
        _checks.positive_integer(init_batches=init_batches)
        if isinstance(x, tf.data.Dataset):
            self._batches.check_dataset(x)
            kwargs.setdefault("shuffle", False)  # A data set shuffles itself.
        else:
            self._batches.check(x, y if self.is_conditional else None)
        if not self.initialized:
            batch_size = kwargs.get("batch_size") or 32
            self.initialize(
                *self._batches.first(x, y, init_batches, batch_size)
            )
        if self.compiled:
            self._seek_noise(self.optimizer.iterations)
        position = nan_report.Position()
        callbacks = kwargs.pop("callbacks", None)
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = callbacks.callbacks
        callbacks = [*keras.tree.flatten(callbacks or []), position]
        validation_data = kwargs.pop("validation_data", None)
        if validation_data is not None:
            kwargs["validation_data"] = self._joined(validation_data)
        x, y = self._joined_arguments(x, y, args, kwargs)
        try:
            return super().fit(x, y, *args, callbacks=callbacks, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            translated = nan_report.translated(error, position)
            if translated is None:
                raise
            raise translated from error

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Evaluates the model, as `keras.Model.evaluate` does.

        Args:
            x: as in `fit`.
            y: as in `fit`.
            *args: as in `keras.Model.evaluate`.
            **kwargs: as in `keras.Model.evaluate`.

        Returns:
            As `keras.Model.evaluate`: the loss, and means in nats and in bits
            per dimension.
        """
        if not kwargs.get("_use_cached_eval_dataset"):
            x, y = self._joined_arguments(x, y, args, kwargs)
        return super().evaluate(x, y, *args, **kwargs)

    def predict(self, x, *args, conditioning=None, **kwargs):
        """Log-probabilities, as `keras.Model.predict` gives them.

        Args:
            x: events, or a data set as in `fit`.
            *args: as in `keras.Model.predict`.
            conditioning: as in `log_prob`.
            **kwargs: as in `keras.Model.predict`.

        Returns:
            floating array `[N]`, in nats.
        """
        x, _ = self._joined_arguments(x, conditioning, (), {})
        return super().predict(x, *args, **kwargs)

    def train_on_batch(self, x, y=None, *args, **kwargs):
        """Runs one step, as `keras.Model.train_on_batch`; `x`, `y` as `fit`."""
        x, y = self._joined_arguments(x, y, args, kwargs)
        return super().train_on_batch(x, y, *args, **kwargs)

    def test_on_batch(self, x, y=None, *args, **kwargs):
        """Evaluates a batch, as `keras.Model.test_on_batch`."""
        x, y = self._joined_arguments(x, y, args, kwargs)
        return super().test_on_batch(x, y, *args, **kwargs)

    def initialize(self, x, conditioning=None):
        """Initialises the activation norms from data.

        Args:
            x: events, as an array or `Tensor` of shape `[N, ...]`.
            conditioning: `[N, *conditioning_shape]`, if there is any.

        Raises:
            TypeError, ValueError: if `x` does not fit the distribution.
        """
        self._batches.check(x, conditioning)
        x = self._batches.event_tensors(x)
        kwargs = self._conditioning_kwargs(
            self._batches.conditioning_tensor(conditioning)
        )
        kwargs = kwargs.get("bijector_kwargs", {})
        distribution = self.distribution
        if self._is_dequantized:
            x, _ = distribution.draw(x, seed=FIXED_SEED)
            distribution = distribution.distribution
        bijectors = []
        while isinstance(distribution, _TRANSFORMED):
            bijectors.append(distribution.bijector)
            distribution = distribution.distribution
        while bijectors and not initialization.has_initialize(bijectors[-1]):
            bijectors.pop()
        for bijector in bijectors:
            x = initialization.initialize_inverse(bijector, x, **kwargs)
        # Data without a seed are in another order on every worker.
        strategies.copy_from_chief(
            self.distribute_strategy, self._adopted.variables.values()
        )
        self._initialized.assign(1)

    @contextlib.contextmanager
    def averaged_weights(self):
        """The optimizer's averaged weights, for as long as the block lasts.

        For optimizers made with `use_ema=True`:

        ```python
        with model.averaged_weights():
            model.evaluate(x)
            model.sample(16)
        ```

        Raises:
            ValueError: if the optimizer keeps no average, or none yet.
        """
        optimizer = getattr(self, "optimizer", None)
        if not getattr(optimizer, "use_ema", False) or not optimizer.built:
            raise ValueError(
                "Expected a model compiled with an optimizer made with "
                "`use_ema=True` that has been trained. Received: "
                f"{optimizer}, "
                f"built={optimizer is not None and optimizer.built}"
            )
        averages = optimizer._model_variables_moving_average
        variables = optimizer._trainable_variables
        kept = [tf.identity(v.value) for v in variables]
        for variable, average in zip(variables, averages):
            variable.assign(average)
        try:
            yield
        finally:
            for variable, value in zip(variables, kept):
                variable.assign(value)

    def save(self, filepath, *args, **kwargs):
        """Saves as `keras.Model.save` does, but never a part of a file.

        The file is written under a temporary name beside `filepath` and then
        renamed, so that an interruption leaves an earlier file whole.
        """
        with _files.replacing(filepath) as temporary:
            super().save(temporary, *args, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """Saves as `keras.Model.save_weights`, but never a part of a file."""
        with _files.replacing(filepath) as temporary:
            super().save_weights(temporary, *args, **kwargs)

    def export(self, filepath, format=export.FORMAT):
        """Writes what the flow computes as a TensorFlow SavedModel.

        To load it takes TensorFlow alone, neither this package nor TFP nor
        Keras:

        ```python
        model.export("flow")
        flow = tf.saved_model.load("flow")
        flow.log_prob(events)  # [N]
        flow.sample(16, 0)  # [16, ...]
        ```

        | function | inputs | output |
        |---|---|---|
        | `log_prob` | `events`, float or int32 | `log_prob` `[N]`, in nats |
        | `sample` | `size` and `seed`, int32 scalars | `events` |

        A conditional flow's have `conditioning`, float32
        `[N, *conditioning_shape]`, as their last input. `N` is free in every
        call. The numbers are those of the methods of these names, without their
        checks of values. Events are nested as the distribution's are.

        The functions are signatures too, which have an input or output for each
        part of nested events, named by its key or field, or by its position,
        `events_0`. `log_prob` is the default signature.

        Args:
            filepath: `str` or `os.PathLike`, a folder that does not exist; the
                one that it is in must. It is written under a temporary name
                and then renamed, so that an interruption leaves nothing.
            format: `"tf_saved_model"`, the only one.

        Raises:
            FileExistsError: before any work, if there is anything at `filepath`.
            ValueError: for another format, or if parts of nested events would
                share their names.
        """
        _checks.choice("format", format, (export.FORMAT,))
        with _files.new_folder(filepath) as temporary:
            export.write(temporary, self.exported_functions())

    def exported_functions(self):
        """Dictionary of names to the `export.Function`s that `export` writes."""
        flow = export.self_contained(self.distribution)
        noise = {"seed": FIXED_SEED} if self._is_dequantized else {}
        scalar = tf.TensorSpec([], tf.int32)
        conditioning_spec = {}
        if self.is_conditional:
            conditioning_spec["conditioning"] = self._batches.conditioning_spec

        def log_prob(events, conditioning=None):
            kwargs = self._conditioning_kwargs(conditioning)
            return flow.log_prob(events, **kwargs, **noise)

        def sample(size, seed, conditioning=None):
            kwargs = self._conditioning_kwargs(conditioning)
            return flow.sample(size, seed=tf.stack([0, seed]), **kwargs)

        return {
            "log_prob": export.Function(
                log_prob,
                {"events": self._batches.event_specs, **conditioning_spec},
                "log_prob",
            ),
            "sample": export.Function(
                sample,
                {"size": scalar, "seed": scalar, **conditioning_spec},
                "events",
            ),
        }

    def load_weights(self, filepath, *args, **kwargs):
        """Loads weights as `keras.Model.load_weights` does.

        Raises:
            ValueError: if the file is missing, damaged, of another
                distribution or of a later format; the weights stay as they are.
        """
        saving.check_file(filepath)
        try:
            super().load_weights(filepath, *args, **kwargs)
        except OSError as error:
            raise saving.damaged_file(filepath, error) from error

    def get_config(self):
        raise NotImplementedError(
            "A `.keras` file holds plain values, and a distribution is none. "
            "Expected `save_weights`, or a registered subclass that makes its "
            "distribution from plain values, as `GlowModel` does. Received: "
            f"a {type(self).__name__} around {self.distribution}"
        )

    def save_own_variables(self, store):
        saving.write(store, self.named_variables)

    def load_own_variables(self, store):
        saving.read(store, self.named_variables)

    def _distribution_log_prob(self, x, conditioning=None, **noise):
        kwargs = self._conditioning_kwargs(conditioning)
        return self.distribution.log_prob(x, **kwargs, **noise)

    def _distribution_sample(self, n, conditioning, seed):
        kwargs = self._conditioning_kwargs(conditioning)
        return self.distribution.sample(n, seed=seed, **kwargs)

    def _conditioning_kwargs(self, conditioning):
        if not self.is_conditional:
            return {}
        vectors = self._batches.conditioning_vectors(conditioning)
        return dict(self._conditioning_fn(vectors))

    def _seek_noise(self, step):
        """Makes the noise that of a step, which a model's file does not tell.

        A model that was loaded goes on with the noise that it would have had.
        """
        state = self._seed_generator.state
        seed = tf.convert_to_tensor(state)[0]
        state.assign(tf.stack([seed, tf.cast(step, seed.dtype)]))

    def _joined(self, data):
        """Data as Keras takes them, dealt out to workers if there are any."""
        data = self._batches.join(data)
        if isinstance(data, tf.data.Dataset):
            return strategies.shard(data, self.distribute_strategy)
        return data

    def _joined_arguments(self, x, y, args, kwargs):
        if isinstance(x, tf.data.Dataset):
            return self._joined(x), y
        has_weights = kwargs.get("sample_weight") is not None and not args
        return self._batches.join_arguments(x, y, has_weights)


def _check_arguments(distribution, conditioning_fn, conditioning_shape):
    if not isinstance(distribution, tfd.Distribution):
        raise TypeError(
            "Expected a `tfd.Distribution`. Received: "
            f"{type(distribution).__name__}"
        )
    if (conditioning_fn is None) != (conditioning_shape is None):
        raise ValueError(
            "Expected both of `conditioning_fn` and `conditioning_shape` or "
            f"none. Received: conditioning_fn={conditioning_fn}, "
            f"conditioning_shape={conditioning_shape}"
        )
    for shape in tf.nest.flatten(distribution.batch_shape):
        if tf.TensorShape(shape).rank != 0:
            raise ValueError(
                "Expected a distribution of one event at a time, of batch "
                "shape []; `tfd.Independent` makes a batch one event. "
                f"Received: {distribution}"
            )


def _variables_hang_from(distribution):
    """Whether it is known without a call of the density, as of a `Glow`."""
    if isinstance(distribution, dequantized.Dequantized):
        noise = distribution.dequantizer
        if not (noise is None or isinstance(noise, noise_flow.NoiseFlow)):
            return False
        distribution = distribution.distribution
    return isinstance(distribution, _TRANSFORMED) and isinstance(
        distribution.bijector, Glow
    )
