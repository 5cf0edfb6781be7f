# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The auxiliary classifier of `GlowModel`."""

import math

import keras
import tensorflow as tf


class Classifier(keras.layers.Layer):
    """A linear classifier of the features that enter the top prior.

    Called with labels, it adds its weighted cross-entropy in bits to the loss
    and reports its accuracy.

    | | shape |
    |---|---|
    | `features` | `[N, h, w, c]`, which are averaged over `h` and `w` |
    | `labels` | integers `[N]`, or `None` |
    | output | `[N, num_classes]`, unnormalized log-probabilities |
    """

    def __init__(self, num_classes, num_features, weight):
        """Makes the layer, which starts at equal probabilities.

        Args:
            num_classes: `int`.
            num_features: `int`, the number of channels of the features.
            weight: positive `float`, multiplies the cross-entropy.
        """
        super().__init__(name="classifier", dtype="float32")
        self._weight = weight
        self._dense = keras.layers.Dense(
            num_classes, kernel_initializer="zeros", dtype="float32"
        )
        self._dense.build((None, num_features))
        self._accuracy = keras.metrics.SparseCategoricalAccuracy(
            name="accuracy"
        )
        self.built = True

    def call(self, features, labels=None):
        logits = self._dense(tf.reduce_mean(features, axis=[1, 2]))
        if labels is not None:
            nats = keras.losses.sparse_categorical_crossentropy(
                labels, logits, from_logits=True
            )
            num_rows = tf.cast(tf.shape(nats)[0], nats.dtype)
            mean = tf.math.divide_no_nan(tf.reduce_sum(nats), num_rows)
            self.add_loss(self._weight * mean / math.log(2.0))
            self._accuracy.update_state(labels, logits)
        return logits


def check_arguments(weight, num_classes, conditioned, num_noise_samples):
    """Raises `ValueError` unless a model of these arguments is possible."""
    if not weight >= 0:
        raise ValueError(
            "Invalid value received for argument `classifier_weight`. Expected "
            f"a non-negative number. Received: classifier_weight={weight}"
        )
    if weight and (num_classes is None or conditioned != "priors"):
        raise ValueError(
            "Invalid value received for argument `classifier_weight`. Expected "
            "0, or `num_classes` and conditioned='priors' in addition. "
            f"Received: classifier_weight={weight}, "
            f"num_classes={num_classes}, conditioned={conditioned!r}"
        )
    if weight and num_noise_samples != 1:
        raise ValueError(
            "Invalid value received for argument `num_noise_samples`. Expected "
            "1 with a classifier. Received: num_noise_samples="
            f"{num_noise_samples}"
        )
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if weight and num_replicas > 1:
        # Keras adds up the losses that layers add on all replicas.
        raise ValueError(
            "Invalid value received for argument `classifier_weight`. Expected "
            "0 under a strategy of several replicas. Received: "
            f"classifier_weight={weight} and {num_replicas} replicas"
        )
