# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Glow of TensorFlow Probability, with its own default networks."""

import functools
import math

import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras

from benchmarks import compare_case

tfb = tfp.bijectors
tfd = tfp.distributions

VERSIONS = {
    "tensorflow_probability": tfp.__version__,
    "tf_keras": tf_keras.__version__,
    "tensorflow": tf.__version__,
}


class Model:
    """A standard normal under `tfb.Glow`, and tf_keras' Adam."""

    def __init__(self, case, sizes, images):
        if case.endswith("_threads"):
            compare_case.give_operations_one_thread(tf)
        tf_keras.utils.set_random_seed(0)
        self._images = tf.constant(images)
        self.distribution = flow = make_flow(
            images.shape[1:],
            sizes.num_levels,
            sizes.num_steps,
            sizes.num_filters,
            seed=0,
        )
        optimizer = tf_keras.optimizers.Adam(compare_case.LEARNING_RATE)
        variables = flow.trainable_variables
        optimizer.build(variables)
        self._variables = variables

        def train_step(x):
            with tf.GradientTape() as tape:
                nats = -tf.reduce_mean(flow.log_prob(x))
                loss = sizes.bits_per_dim(nats)
            gradients = tape.gradient(loss, variables)
            optimizer.apply_gradients(zip(gradients, variables))
            return loss

        self._train_step = tf.function(train_step)
        self._log_prob = tf.function(flow.log_prob)
        self._sample = tf.function(lambda: flow.sample(len(images)))

    @property
    def num_weights(self):
        return sum(v.shape.num_elements() for v in self._variables)

    def initialize(self):
        """Nothing: the activation norms are set by the first run."""

    def train_step(self):
        """Bits per dimension before the step."""
        return self._train_step(self._images).numpy().item()

    def log_prob(self, images):
        return self._log_prob(tf.convert_to_tensor(images)).numpy()

    def sample(self):
        return self._sample().numpy()


def make_flow(image_shape, num_levels, num_steps, num_filters, seed):
    """Makes the flow of the docstring of `tfb.Glow`, of another size.

    Args:
        image_shape: `(H, W, C)`.
        num_levels: `int`, L in the paper.
        num_steps: `int`, K in the paper.
        num_filters: `int`, width of the networks.
        seed: `int`, of the 1x1 convolutions; the networks take tf_keras' seed.

    Returns:
        `tfd.TransformedDistribution`.
    """
    glow = tfb.Glow(
        image_shape,
        num_glow_blocks=num_levels,
        num_steps_per_block=num_steps,
        coupling_bijector_fn=functools.partial(
            tfb.GlowDefaultNetwork, num_hidden=num_filters
        ),
        exit_bijector_fn=tfb.GlowDefaultExitNetwork,
        seed=seed,
    )
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [math.prod(image_shape)])
    return tfd.TransformedDistribution(normal, glow)
