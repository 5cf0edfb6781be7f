# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras layers that make a flow a part of a larger model."""

import keras
import tensorflow as tf

from tfp_glow import _checks


@keras.saving.register_keras_serializable(package="tfp_glow")
class Sample(keras.layers.Layer):
    """Draws one event for every row of the input.

    Gradients flow through samples of continuous distributions. The input of a
    conditional flow is the conditioning `[N, *conditioning_shape]`. Otherwise
    only its number of rows matters. The output is `[N, ...]`, nested as the
    distribution's events are. For log-probabilities call the model itself.

    Args:
        flow: `FlowModel`, whose weights the layer shares.
        seed: `int` or `None`, where the random numbers start.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, flow, seed=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.flow = flow
        self.seed = _checks.seed(seed)
        self._seed_generator = keras.random.SeedGenerator(self.seed)
        self.built = True

    @property
    def metrics(self):
        # The flow's metrics would stay 0 while another model trains.
        return []

    def call(self, x):
        seed = tf.cast(self._seed_generator.next(), tf.int32)
        kwargs = self.flow.conditioning_kwargs(x)
        return self.flow.distribution.sample(
            tf.shape(x)[0], seed=seed, **kwargs
        )

    def get_config(self):
        # Keras serializes the flow, and so knows whether layers share it.
        config = {"flow": self.flow, "seed": self.seed}
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config):
        flow = config["flow"]
        if isinstance(flow, dict):
            flow = keras.saving.deserialize_keras_object(flow)
        else:  # A copy has weights of its own.
            flow = flow.from_config(flow.get_config())
        return cls(**{**config, "flow": flow})
