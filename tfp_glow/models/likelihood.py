# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""LikelihoodModel: Keras' training, with log-probabilities as the output."""

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.distributions import units
from tfp_glow.models import nan_report
from tfp_glow.models import replicas
from tfp_glow.models import saving
from tfp_glow.models import strategies


class LikelihoodModel(keras.Model):
    """A Keras model that is trained by maximum likelihood.

    A subclass implements `call`, which returns the log-probabilities `[N]` of
    events or of pairs of events and conditioning, and `initialize`. `spec` is
    the `event_spec.EventSpec` of the data.
    """

    def __init__(self, spec, seed=None, **kwargs):
        # Keras' policy is for networks. Densities are computed in float32.
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        self._spec = spec
        self._seed_generator = keras.random.SeedGenerator(_checks.seed(seed))
        self._nats_tracker = keras.metrics.Mean(name="nats")
        self._bits_per_dim_tracker = None
        if spec.event_size is not None:
            self._bits_per_dim_tracker = keras.metrics.Mean(name="bits_per_dim")

    def train_step(self, data):
        replicas.clip_sum_of_gradients(self.optimizer)
        return replicas.logs(super().train_step(self._with_conditioning(data)))

    def test_step(self, data):
        return replicas.logs(super().test_step(self._with_conditioning(data)))

    def predict_step(self, data):
        return super().predict_step(self._with_conditioning(data))

    def _with_conditioning(self, data):
        """Makes events and conditioning one input, which `call` receives."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if self._spec.is_conditional and y is not None:
            x = (x, y)
        return x, y, sample_weight

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras calls this before it traces a step. `fit` builds the optimizer
        # by itself, because evaluation from an iterator does not need one.
        if data_batch is not None:
            self._build_optimizer()
        # Everything but compiled metrics is built then. Under a strategy
        # Keras would take one batch to build it, so that a shuffled data set
        # would continue in another order.
        if self._compile_metrics is not None:
            super()._maybe_symbolic_build(iterator, data_batch)

    def _build_optimizer(self):
        # A step that creates the variables of the optimizer is traced twice.
        if self.optimizer is not None:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

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
            loss *= tf.cast(sample_weight, loss.dtype)
        num_rows = tf.shape(loss)[0]
        # A replica may receive no rows of the last batch.
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
            x: integer images, or other events of the distribution: an array, a
                `Tensor` or a batched `tf.data.Dataset`.
            y: the conditioning, if there is any; otherwise labels, which are
                ignored. A data set has pairs of both.
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
        callbacks = kwargs.pop("callbacks", None)
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks = callbacks.callbacks
        callbacks = keras.tree.flatten(callbacks or [])
        saving.check_callbacks(self, callbacks)
        if isinstance(x, tf.data.Dataset):
            self._spec.check_dataset(x)
            kwargs.setdefault("shuffle", False)  # A data set shuffles itself.
        else:
            self._spec.check(x, y if self._spec.is_conditional else None)
        if not self.initialized:
            size = kwargs.get("batch_size") or 32
            self.initialize(*self._spec.first(x, y, init_batches, size))
        if self.compiled:
            self._build_optimizer()
        validation = kwargs.get("validation_data")
        if validation is not None:
            kwargs["validation_data"] = self._for_keras(
                *keras.utils.unpack_x_y_sample_weight(validation)
            )
        x, y, _ = self._for_keras(x, y, kwargs.get("sample_weight"))
        position = nan_report.Position()
        # The step is known after callbacks such as `BackupAndRestore`.
        noise = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: self._continue_noise()
        )
        callbacks = [*callbacks, noise, position]
        try:
            return super().fit(x, y, *args, callbacks=callbacks, **kwargs)
        except tf.errors.InvalidArgumentError as error:
            translated = nan_report.translated(error, position)
            if translated is None:
                raise
            raise translated from error

    def _continue_noise(self):
        """Sets the noise generator to the state of the present step.

        Files do not hold its position in the stream. A model that was loaded
        would otherwise repeat the noise of the first step.
        """
        state = self._seed_generator.state
        seed = tf.convert_to_tensor(state)[0]
        step = tf.cast(self.optimizer.iterations, seed.dtype)
        state.assign(tf.stack([seed, step]))

    def _for_keras(self, x, y=None, sample_weight=None):
        """Shards data sets, and keeps weights that Keras would drop."""
        if isinstance(x, tf.data.Dataset):
            return strategies.shard(x, self.distribute_strategy), y, None
        if sample_weight is not None and y is None:
            y = np.zeros(len(tf.nest.flatten(x)[0]))
        return x, y, sample_weight
