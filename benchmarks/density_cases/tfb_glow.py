# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Glow of TensorFlow Probability.

Its documentation names no optimizer, so it gets ours, with warm-up, clipping
and averaged weights, and our loss and batches. Its activation norms initialize
in the first step, as they do by themselves. One channel needs nothing special.
"""

import math

import keras
import tensorflow as tf

from benchmarks import density_case
from benchmarks.compare_cases import tfb_glow
from benchmarks.density_cases import ours

VERSIONS = {**tfb_glow.VERSIONS, "keras": keras.__version__}
MOST_STEPS = math.inf


class Model:
    """A standard normal under `tfb.Glow`; methods as of `ours.Model`."""

    def __init__(self, run, image_shape, bins):
        keras.utils.set_random_seed(run.seed)
        self._flow = tfb_glow.make_flow(
            image_shape,
            run.num_levels,
            run.num_steps,
            run.num_filters,
            seed=run.seed,
        )
        self._bins, self._size = bins, math.prod(image_shape)
        self._noise_seed = [run.seed, 0]
        self._variables = self._flow.trainable_variables
        # The same storage, for an optimizer of Keras 3.
        keras_variables = [
            keras.Variable(initializer=v, dtype=v.dtype.name)
            for v in self._variables
        ]
        self._optimizer = ours.make_optimizer(run)
        self._optimizer.build(keras_variables)
        self._keras_variables = keras_variables
        self._train_step = tf.function(self._step)
        self._log_prob = tf.function(self._flow.log_prob)
        self._sample = tf.function(self._sample_images)

    @property
    def num_weights(self):
        return sum(v.shape.num_elements() for v in self._variables)

    def initialize(self, images):
        """Nothing: the activation norms are set by the first step."""

    def train_step(self, images):
        self._noise_seed[1] += 1
        loss = self._train_step(self._values(images, self._noise_seed)).numpy()
        if not math.isfinite(loss):
            raise FloatingPointError(f"Received a loss of {loss}")

    def weights(self):
        return [v.numpy() for v in self._variables]

    def averages(self):
        kept = self.weights()
        self._optimizer.finalize_variable_values(self._keras_variables)
        averages = self.weights()
        self.assign(kept)
        return [averages]

    def assign(self, weights):
        for variable, value in zip(self._variables, weights):
            variable.assign(value)

    def log_prob(self, images, seed):
        log_prob = self._log_prob(self._values(images, seed)).numpy()
        return log_prob - self._size * math.log(self._bins)

    def sample(self, num, seed):
        return self._sample(tf.constant([0, seed]), num).numpy()

    def _values(self, images, seed):
        values = density_case.dequantize(images, self._bins, seed)
        return tf.constant(values - 0.5)

    def _step(self, x):
        with tf.GradientTape() as tape:
            nats = -tf.reduce_mean(self._flow.log_prob(x))
            loss = nats / (self._size * math.log(2.0))
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply(gradients, self._keras_variables)
        return loss

    def _sample_images(self, seed, num):
        return self._flow.sample(num, seed=seed)
