# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""This project's Glow, trained by Keras."""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from benchmarks import compare_case

VERSIONS = {
    "tfp_glow": tfg.__version__,
    "keras": keras.__version__,
    "tensorflow": tf.__version__,
    "tensorflow_probability": tfp.__version__,
}


class Model:
    """`FlowModel` of `glow_distribution`, and the recipe's optimizer.

    A case is a way to compute gradients, and then `_bfloat16` if the networks
    compute in 16 bits, and `_threads` if each operation has one thread.
    """

    def __init__(self, case, sizes, images):
        gradient, *options = case.split("_")
        if "threads" in options:
            compare_case.give_operations_one_thread(tf)
        self._images = tf.constant(images)
        network = "paper"
        if "bfloat16" in options:
            network = tfg.networks.CouplingNetwork(dtype="mixed_bfloat16")
        self._model = tfg.FlowModel(
            tfg.glow_distribution(
                images.shape[1:],
                num_levels=sizes.num_levels,
                num_steps=sizes.num_steps,
                num_filters=sizes.num_filters,
                initialization="normalize",
                seed=0,
                gradient=gradient,
                network=network,
            )
        )
        # No XLA, on any device.
        optimizer = tfg.recipe.make_optimizer(
            learning_rate=compare_case.LEARNING_RATE, warmup_steps=0
        )
        self._model.compile(optimizer, jit_compile=False)
        self.distribution = distribution = self._model.distribution
        self._sample = tf.function(lambda: distribution.sample(len(images)))

    @property
    def num_weights(self):
        variables = self._model.distribution.trainable_variables
        return sum(v.shape.num_elements() for v in variables)

    def initialize(self):
        self._model.initialize(self._images)

    def train_step(self):
        """Bits per dimension before the step."""
        logs = self._model.train_on_batch(self._images, return_dict=True)
        return float(logs["loss"])

    def log_prob(self, images):
        return self._model.log_prob(images).numpy()

    def sample(self):
        return self._sample().numpy()
