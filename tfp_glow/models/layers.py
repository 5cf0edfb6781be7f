# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras layers that make a flow a part of a larger model."""

import keras
import tensorflow as tf


class _FlowLayer(keras.layers.Layer):
    """A layer around a `FlowModel`, whose weights it shares."""

    def __init__(self, flow, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.flow = flow
        self.built = True

    def get_config(self):
        flow = keras.saving.serialize_keras_object(self.flow)
        return {**super().get_config(), "flow": flow}

    @classmethod
    def from_config(cls, config):
        flow = keras.saving.deserialize_keras_object(config["flow"])
        return cls(**{**config, "flow": flow})


@keras.saving.register_keras_serializable(package="tfp_glow")
class LogProb(_FlowLayer):
    """Log-probabilities of events, given what the flow is conditioned on.

    Gradients flow to the events, to the conditioning and to the flow.

    | | shape |
    |---|---|
    | `x` | `[N, ...]`, nested as the distribution's events are |
    | `conditioning` | `[N, *conditioning_shape]` |
    | output | `[N]`, in nats |

    Example, where a network's output conditions a flow:

    ```python
    features, target = keras.Input([10]), keras.Input([1])
    summary = keras.layers.Dense(8, "relu")(features)
    log_prob = tfg.layers.LogProb(flow, add_loss=True)(target, summary)
    model = keras.Model([features, target], log_prob)
    model.compile("adam")  # The layer's loss is all there is.
    ```
    """

    def __init__(self, flow, add_loss=False, **kwargs):
        """Makes the layer.

        Args:
            flow: `FlowModel`.
            add_loss: `bool`; if true, minus the mean of the output, in nats, is
                added to the loss of the model around.
            **kwargs: arguments of `keras.layers.Layer`.
        """
        super().__init__(flow, **kwargs)
        self.adds_loss = add_loss

    def call(self, x, conditioning=None, training=False):
        log_prob = self.flow(x, conditioning, training=training)
        if self.adds_loss:
            self.add_loss(-tf.reduce_mean(log_prob))
        return log_prob

    def get_config(self):
        return {**super().get_config(), "add_loss": self.adds_loss}


@keras.saving.register_keras_serializable(package="tfp_glow")
class Sample(_FlowLayer):
    """One event for every row of the input.

    Gradients flow through the samples of continuous distributions. The input
    is the conditioning `[N, *conditioning_shape]` of a conditional flow; else
    only its number of rows matters. The output is `[N, ...]`, nested as the
    distribution's events are.
    """

    def __init__(self, flow, seed=None, **kwargs):
        """Makes the layer.

        Args:
            flow: `FlowModel`.
            seed: `int` or `None`, where the random numbers start.
            **kwargs: arguments of `keras.layers.Layer`.
        """
        super().__init__(flow, **kwargs)
        self.seed = seed
        self._seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x):
        return self.flow.draw(
            tf.shape(x)[0],
            x if self.flow.is_conditional else None,
            seed=tf.cast(self._seed_generator.next(), tf.int32),
        )

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
