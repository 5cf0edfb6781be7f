# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""FlowModel: a Keras model that fits any TFP distribution."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _arguments
from tfp_glow import _checks
from tfp_glow import _tf
from tfp_glow.bijectors import initialization
from tfp_glow.distributions import flows
from tfp_glow.models import averages
from tfp_glow.models import event_spec
from tfp_glow.models import export
from tfp_glow.models import likelihood
from tfp_glow.models import replicas
from tfp_glow.models import saving
from tfp_glow.models import strategies
from tfp_glow.models import tracking
from tfp_glow.networks import weight_noise as weight_noise_

tfd = tfp.distributions


@keras.saving.register_keras_serializable(package="tfp_glow")
class FlowModel(likelihood.LikelihoodModel):
    """A Keras 3 model that fits a TFP distribution by maximum likelihood.

    The model finds the distribution's variables and Keras layers, also those
    in closures and those that the first call creates. Its loss is the mean
    negative log-likelihood in bits per dimension. `model(x)` and
    `model.predict(x)` return log-probabilities, `[N]`, in nats.

    A model made in the `scope()` of a `tf.distribute` strategy, together with
    its distribution, trains on several devices or machines. The weights are
    those that one device would learn from the same global batches. On several
    machines all workers must make the same calls, with the same data in the
    same order. Only the chief's files are needed.

    With `conditioning_fn` the distribution is conditional. Pass the
    conditioning where Keras expects labels: `fit(x, conditioning)`, a data set
    of pairs, `validation_data=(x, conditioning)`. `predict` takes a pair or a
    data set of pairs. Weigh samples with `sample_weight` in `fit` and
    `evaluate`, or in a data set of triples.

    `compile` takes no loss. Its metrics are functions `f(labels, log_probs)` or
    subclasses of `keras.metrics.Metric` that compute with log-probabilities.

    The model is also a Keras layer. Gradients of `model(x, conditioning)` flow
    to both arguments, for example to a network that computes the conditioning.

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
        lambda c: {"bijector_kwargs": {"conditional_input": c}},
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
        weight_noise=0.0,
        seed=None,
        layers=(),
        **kwargs,
    ):
        """Makes the model.

        Args:
            distribution: `tfd.Distribution` with trainable variables and a
                batch shape of `[]`.
            conditioning_fn: callable from a batch of conditioning, a floating
                `Tensor` `[N, *conditioning_shape]`, to a dictionary of keyword
                arguments of the distribution's `log_prob` and `sample`.
            conditioning_shape: shape of one event's conditioning. Required with
                `conditioning_fn`, unless the conditioning is labels. A
                conditional `vector_flow` or `glow_distribution` needs neither.
            num_classes: `int` if the conditioning is labels, integers `[N]`.
                `conditioning_fn` receives them as one-hot vectors.
            weight_noise: non-negative `float`, standard deviation of random
                changes to the kernels of a flow's `networks.CouplingNetwork`s
                in every step of the training, relative to the kernels. It
                keeps small data from being learned by heart.
            seed: `int` or `None`, for the dequantization noise of training.
            layers: Keras layers of the distribution that the model cannot find.
            **kwargs: arguments of `keras.Model`.

        Raises:
            TypeError: if `distribution` is not a `tfd.Distribution`.
            ValueError: if it has no trainable variables or a batch shape, if
                its `log_prob` cannot be differentiated, or if only one of
                `conditioning_fn` and `conditioning_shape` is given.
        """
        shape = getattr(distribution, "conditioning_shape", None)
        if shape and conditioning_fn is conditioning_shape is None:
            conditioning_fn, conditioning_shape = flows.bijector_kwargs, shape
        if num_classes is not None:
            [num_classes] = _checks.positive_integer(num_classes=num_classes)
            conditioning_shape = ()
        event_spec.check_arguments(
            distribution, conditioning_fn, conditioning_shape
        )
        weight_noise = _checks.number("weight_noise", weight_noise)
        spec = event_spec.EventSpec(
            distribution,
            None if conditioning_fn is None else tuple(conditioning_shape),
            num_classes,
        )
        super().__init__(spec, seed, **kwargs)
        self._weight_noise = weight_noise
        self._conditioning_fn = conditioning_fn
        is_plain = conditioning_fn in (None, flows.bijector_kwargs)
        if type(self) is FlowModel and is_plain:
            saving.set_config(self, spec, weight_noise=weight_noise, seed=seed)
        specs = (spec.event_specs,)
        if spec.is_conditional:
            specs += (spec.conditioning_spec,)

        def call(x, conditioning=None):
            kwargs = self.conditioning_kwargs(conditioning)
            return distribution.log_prob(x, **kwargs)

        self._flow_layer = tracking.Tracked(
            distribution,
            None if event_spec.is_glow(distribution) else call,
            specs,
            layers,
        )
        self._log_prob = _tf.compiled(distribution.log_prob)
        self._sample = _tf.compiled(distribution.sample)
        self.built = True

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = saving.with_flow(config, custom_objects)
        return super().from_config(config, custom_objects)

    @property
    def distribution(self):
        """The `tfd.Distribution`."""
        return self._flow_layer.distribution

    @property
    def named_variables(self):
        """Dictionary of stable names to the variables that files hold."""
        return self._flow_layer.named_variables

    @property
    def is_conditional(self):
        """Whether the distribution has conditioning."""
        return self._spec.is_conditional

    @property
    def event_size(self):
        """Number of dimensions of an event, or `None` if it is not known."""
        return self._spec.event_size

    @property
    def initialized(self):
        """Whether the activation norms have been set from data."""
        return bool(self._flow_layer.initialized.numpy())

    def call(self, x, conditioning=None, training=False):
        if self.is_conditional and conditioning is None:
            if not isinstance(x, tuple | list) or len(x) != 2:
                raise ValueError(
                    "Expected a pair of events and their conditioning. "
                    f"Received: {type(x).__name__}"
                )
            x, conditioning = x
        x = self._spec.event_tensors(x)
        num_rows = tf.shape(tf.nest.flatten(x)[0])[0]
        stddev, seed, noise = 0.0, None, {}
        if training:
            stddev = self._weight_noise
            seed = tf.cast(self._seed_generator.next(), tf.int32)
            if not self.compiled:
                self._flow_layer.warn_unless_initialized(self.name)
        if self._spec.is_dequantized:
            noise["seed"] = seed if training else _tf.stateless_seed(0)
            if training:
                noise["first_row"] = replicas.first_row(num_rows)
        with weight_noise_.training(stddev, seed):
            return replicas.of_rows(
                lambda: self._batch_log_prob(x, conditioning, **noise),
                num_rows,
                self._spec.log_prob_dtype,
            )

    def _batch_log_prob(self, x, conditioning, **noise):
        """Computes what `call` returns. Subclasses may add losses."""
        kwargs = self.conditioning_kwargs(conditioning)
        return self.distribution.log_prob(x, **kwargs, **noise)

    def conditioning_kwargs(self, conditioning):
        """Returns the keyword arguments of the distribution's methods.

        Without `conditioning_fn` they are `{}`, whatever the conditioning.
        """
        if not self.is_conditional:
            return {}
        vectors = self._spec.conditioning_vectors(conditioning)
        return dict(self._conditioning_fn(vectors))

    def log_prob(self, x, conditioning=None, seed=None, num_draws=1):
        """Computes log-probabilities of events, floating `[N]`, in nats.

        Args:
            x: events, arrays or tensors `[N, ...]`, nested as the
                distribution's events are.
            conditioning: `[N, *conditioning_shape]`, or labels `[N]`.
            seed: `int`, or `None` for 0, as in `evaluate`. The dequantization
                noise of an image depends on nothing but the image and the seed.
            num_draws: positive `int`, draws of the noise. The logarithm of their
                mean probability is a less noisy and a tighter bound.

        Raises:
            TypeError, ValueError: if the arguments do not fit the distribution.
        """
        [num_draws] = _checks.positive_integer(num_draws=num_draws)
        self._spec.check(x, conditioning)
        kwargs = self.conditioning_kwargs(conditioning)
        x = self._spec.event_tensors(x)
        if not self._spec.is_dequantized:
            return self._log_prob(x, **kwargs)
        draws = []
        for i in range(num_draws):
            kwargs["seed"] = _tf.stateless_seed(seed or 0, stream=i)
            draws.append(self._log_prob(x, **kwargs))
        return tfp.math.reduce_logmeanexp(draws, axis=0)

    @_arguments.suggesting
    def sample(self, n, conditioning=None, seed=None):
        """Draws events `[n, ...]`, nested as the distribution's events are.

        Args:
            n: positive `int`.
            conditioning: see `log_prob`, of `n` events.
            seed: `int` or `None`.
        """
        [n] = _checks.positive_integer(n=n)
        self._spec.check_conditioning(conditioning, n)
        kwargs = self.conditioning_kwargs(conditioning)
        seed = _tf.stateless_seed(seed)
        return self._sample(tf.constant(n), seed=seed, **kwargs)

    @_arguments.suggesting
    def initialize(self, x, conditioning=None):
        """Initializes the activation norms from data.

        Args and errors: see `log_prob`.
        """
        self._spec.check(x, conditioning)
        x = self._spec.event_tensors(x)
        distribution = self.distribution
        if self._spec.is_dequantized:
            x, _ = distribution.draw(x, seed=(0, 0), first_row=0)
            distribution = distribution.distribution
        kwargs = self.conditioning_kwargs(conditioning)
        initialization.initialize_distribution(distribution, x, **kwargs)
        # Workers may read data in different orders.
        strategies.copy_from_chief(
            self.distribute_strategy, self.named_variables.values()
        )
        self._flow_layer.initialized.assign(1)

    def averaged_weights(self):
        """A context in which the weights are the averages of the optimizer.

        The optimizer, made with `use_ema=True`, must have trained the model.
        """
        return averages.averaged_weights(self)

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Saves the model as `keras.Model.save` does, but no partial files.

        Earlier files stay whole. With `overwrite=False` the user is asked first,
        and `FileExistsError` is raised if nobody answers.
        """
        saving.check_can_be_saved(self)
        self._build_optimizer()  # Keras loads the variables of a built one.
        kwargs["zipped"] = zipped
        saving.save(super().save, filepath, ".keras", overwrite, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Saves as `keras.Model.save_weights` does, but no partial files.

        `load_weights(filepath, skip_mismatch=True)` loads the variables that
        fit, and names the others in a warning.
        """
        options = {"max_shard_size": max_shard_size}
        write = super().save_weights
        saving.save(write, filepath, ".weights.h5", overwrite, **options)

    def __reduce__(self):
        # Keras copies and pickles a model by saving it.
        saving.check_can_be_saved(self)
        return super().__reduce__()

    def export(self, filepath, format=export.FORMAT):
        """Writes a TensorFlow SavedModel of what the flow computes.

        Loading it requires only TensorFlow:

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

        The functions of a conditional flow have `conditioning`, float32
        `[N, *conditioning_shape]`, as their last input. `N` may differ in every
        call. The results are those of the methods with the same names, without
        their checks of values. Subclasses may have other `exported_functions`.

        The functions are also signatures, with one input or output for each
        part of nested events, named by its key, field or position, `events_0`.
        `log_prob` is the default signature.

        Args:
            filepath: `str` or `os.PathLike`, a new folder inside one that
                exists, or `gs://...`. An interruption leaves nothing there.
            format: `"tf_saved_model"`, the only one.

        Raises:
            FileExistsError: before any work, if `filepath` exists.
            ValueError: if parts of nested events would share their names.
        """
        _checks.choice("format", format, (export.FORMAT,))
        with saving.new_folder(filepath) as temporary:
            export.write(temporary, self)

    def exported_functions(self):
        """Dictionary of names to the `export.Function`s that `export` writes."""
        scalar = tf.TensorSpec([], tf.int32)
        events = {"events": self._spec.event_specs}
        noise = {"size": scalar, "seed": scalar}
        return {
            "log_prob": export.Function(export.log_prob, events, "log_prob"),
            "sample": export.Function(export.sample, noise, "events"),
        }
