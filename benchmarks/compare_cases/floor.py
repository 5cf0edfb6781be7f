# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Only the networks of the couplings: a lower bound for any flow around them.

There are `num_levels * num_steps` networks, each with its own weights and its
own random input, of the shape that it has in the flow. They run side by side.
In the case `"floor_in_turn"` they run one after another, as a flow needs them
to. There is no optimizer.
"""

import tensorflow as tf

from tfp_glow import networks

VERSIONS = {"tensorflow": tf.__version__}


class Model:
    """A `train_step` is forward and backward; `log_prob` is forward."""

    def __init__(self, case, sizes, images):
        if case == "floor_in_turn":
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self._networks, self._inputs = [], []
        for level in range(1, sizes.num_levels + 1):
            side, channels = sizes.image_size // 2**level, 3 * 2**level
            for _ in range(sizes.num_steps):
                seed = len(self._networks)
                network = networks.CouplingNetwork(
                    2 * channels, num_filters=sizes.num_filters, seed=seed
                )
                network.build((None, side, side, channels))
                # The last layer starts at zero, which would make the gradients
                # of the other layers zero.
                kernel = network.last.kernel
                kernel.assign(
                    tf.random.stateless_normal(
                        kernel.shape, seed=(1, seed), stddev=0.05
                    )
                )
                self._networks.append(network)
                self._inputs.append(
                    tf.random.stateless_normal(
                        [len(images), side, side, channels], seed=(0, seed)
                    )
                )
        self._forward = tf.function(self._loss)
        self._forward_and_backward = tf.function(self._loss_and_gradients)

    @property
    def num_weights(self):
        return sum(v.shape.num_elements() for v in self._weights())

    def initialize(self):
        """Does nothing: the time does not depend on the values."""

    def train_step(self):
        loss, _ = self._forward_and_backward(self._inputs)
        return loss.numpy().item()

    def log_prob(self, images):
        del images
        return self._forward(self._inputs).numpy()

    def _weights(self):
        return [w.value for net in self._networks for w in net.weights]

    def _loss(self, inputs):
        return tf.add_n(
            [tf.reduce_mean(net(x)) for net, x in zip(self._networks, inputs)]
        )

    def _loss_and_gradients(self, inputs):
        variables = [*self._weights(), *inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = self._loss(inputs)
        gradients = tape.gradient(loss, variables)
        if any(gradient is None for gradient in gradients):
            raise ValueError("Expected a gradient for every weight and input")
        return loss, gradients
