# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""When XLA compiles a training on CPUs, and how its steps are traced."""

import tensorflow as tf

from tfp_glow.distributions import dequantized
from tfp_glow.distributions import flows
from tfp_glow.models import data
from tfp_glow.networks import convolution

# Compilation takes 9 to 15 seconds, less than this many steps save.
_MIN_STEPS = 1000
# Steps of larger events take as long without XLA.
MAX_EVENT_SIZE = 32 * 32


def choose(model, arguments):
    """Lets XLA compile a training on CPUs if that makes it shorter.

    So it was measured for `tfg.Flow`s of small events in long trainings, see
    docs/benchmarks.md. Other distributions may not even compile. `arguments`
    are those of `fit`.
    """
    if (
        isinstance(dequantized.continuous(model.distribution), flows.Flow)
        and model.event_size <= MAX_EVENT_SIZE
        and _num_steps(**arguments) >= _MIN_STEPS
        and not (model.jit_compile or model.run_eagerly)
        and model._distribute_strategy is None
        and _on_cpu()
    ):
        model.jit_compile = True
        # Keras keeps the functions that it has made.
        model.train_function = model.test_function = None


def tracing(model):
    """A context in which the steps of a model are traced."""
    return convolution.as_products(model.jit_compile and _on_cpu())


def _on_cpu():
    return not tf.config.list_physical_devices("GPU")


def _num_steps(x, batch_size=None, epochs=1, steps_per_epoch=None, **arguments):
    """Returns the number of steps of all epochs, or 0 if it is not known."""
    if steps_per_epoch is None:
        steps_per_epoch, _ = data.size(x, batch_size)
    return (steps_per_epoch or 0) * epochs
