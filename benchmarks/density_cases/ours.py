# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""This project's Glow, trained by the recipe of `python -m tfp_glow train`."""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from benchmarks import density_case
from tfp_glow.models import recipe
from tfp_glow.models import xla

VERSIONS = {
    "tfp_glow": tfg.__version__,
    "keras": keras.__version__,
    "tensorflow": tf.__version__,
    "tensorflow_probability": tfp.__version__,
}
MOST_STEPS = math.inf
_PAPER = dict(initialization="normalize", gradient="invert", weight_noise=0.0)
# Arguments of `GlowModel`. The defaults need none. In two minutes on photographs
# splines, mixtures, gated networks and learned dequantization did not come as
# far; see docs/benchmarks.md.
ARGUMENTS = {
    "ours": {},
    "paper": _PAPER,
    **{
        name: dict(permutation=permutation, coupling=coupling, **_PAPER)
        for name, (permutation, coupling) in density_case.ABLATIONS.items()
    },
}


class Model:
    """`GlowModel`, fitted step by step, with the recipe's averaged weights."""

    def __init__(self, run, image_shape, bins):
        keras.utils.set_random_seed(run.seed)
        self._model = tfg.GlowModel(
            image_shape,
            num_levels=run.num_levels,
            num_steps=run.num_steps,
            num_filters=run.num_filters,
            bins=bins,
            seed=run.seed,
            **ARGUMENTS[run.case],
        )
        # As `fit` chooses for a training of this length.
        is_small = math.prod(image_shape) <= xla.MAX_EVENT_SIZE
        self._model.compile(make_optimizer(run), jit_compile=is_small)

    @property
    def num_weights(self):
        """Number of trained values."""
        return self._model.count_params()

    def initialize(self, images):
        self._model.initialize(images)

    def train_step(self, images):
        """Raises `FloatingPointError` if the loss is not finite."""
        try:
            loss = self._model.train_on_batch(images)
        except tf.errors.InvalidArgumentError as error:
            raise FloatingPointError(error.message) from error
        if not np.isfinite(loss).all():
            raise FloatingPointError(f"The loss is {loss}")

    def weights(self):
        """Returns copies of the trained arrays."""
        return [v.numpy() for v in self._model.trainable_variables]

    def averages(self):
        """Returns other weights to validate: the average."""
        with self._model.averaged_weights():
            return [self.weights()]

    def assign(self, weights):
        for variable, value in zip(self._model.trainable_variables, weights):
            variable.assign(value)

    def log_prob(self, images, seed):
        """Returns the bound on the log-probability in nats, `[N]`."""
        return self._model.log_prob(images, seed=seed).numpy()

    def sample(self, num, seed):
        """Returns values before rounding, `[num, H, W, C]`."""
        return self._model.sample_values(num, seed=seed).numpy()


def make_optimizer(run):
    """Returns the optimizer of `train`, with the learning rate of a run."""
    decay = {} if run.case == "ours" else {"weight_decay": 0.0}
    return recipe.make_optimizer(learning_rate=run.learning_rate, **decay)
