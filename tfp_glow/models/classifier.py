# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The auxiliary classifier of `GlowModel`."""

import math

import keras
import tensorflow as tf

from tfp_glow import _checks


class Classifier(keras.layers.Layer):
    """Logits `[N, num_classes]` of features `[N, h, w, num_features]`.

    The classifier is linear in the features' mean over `h` and `w`. Called with
    labels `[N]`, it adds its weighted cross-entropy in bits to the loss and
    reports its accuracy.
    """

    def __init__(self, num_classes, num_features, weight):
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
    expected = None
    num_replicas = tf.distribute.get_strategy().num_replicas_in_sync
    if weight and (num_classes is None or conditioned != "priors"):
        expected = (
            "0, or `num_classes` and conditioned='priors' in addition, instead "
            f"of num_classes={num_classes} and conditioned={conditioned!r}"
        )
    elif weight and num_replicas > 1:
        # Keras adds up the losses that layers add on all replicas.
        expected = f"0 under a strategy of {num_replicas} replicas"
    if expected:
        raise _checks.invalid_value("classifier_weight", weight, expected)
    if weight and num_noise_samples != 1:
        expected = "1 with a classifier"
        raise _checks.invalid_value(
            "num_noise_samples", num_noise_samples, expected
        )
