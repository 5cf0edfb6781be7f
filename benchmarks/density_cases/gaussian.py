# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The normal distribution of the images' mean and covariance.

It is fitted to all training images in the one step that it takes.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow.distributions import baselines

VERSIONS = {
    "tensorflow_probability": tfp.__version__,
    "tensorflow": tf.__version__,
}
MOST_STEPS = 1


class Model:
    """`baselines.gaussian`; methods as of `ours.Model`."""

    def __init__(self, run, image_shape, bins):
        del run
        self._bins, self._size = bins, int(np.prod(image_shape))
        self._distribution = None

    @property
    def num_weights(self):
        return self._size + self._size * (self._size + 1) // 2

    def initialize(self, images):
        """Nothing."""

    def train_step(self, images):
        self._distribution = baselines.gaussian(images, self._bins)

    def weights(self):
        return []

    def averages(self):
        return []

    def assign(self, weights):
        """Nothing, as there is nothing to choose from."""

    def log_prob(self, images, seed):
        images = tf.cast(images, tf.int32)
        return self._distribution.log_prob(images, seed=(0, seed)).numpy()

    def sample(self, num, seed):
        return self._distribution.distribution.sample(num, seed=(0, seed))
