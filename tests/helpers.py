# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Functions that several test modules share."""

from unittest import mock

import numpy as np
import tensorflow as tf
from tensorflow_probability.python.internal import samplers


def normal(shape, seed=0, dtype=tf.float64):
    """Reproducible standard normal numbers."""
    values = np.random.default_rng(seed).standard_normal(shape)
    return tf.constant(values, dtype)


def perturb(module, stddev=0.2, seed=0):
    """Moves all trainable variables, so that none is as it was made."""
    generator = np.random.default_rng(seed)
    for variable in module.trainable_variables:
        noise = stddev * generator.standard_normal(variable.shape)
        variable.assign_add(tf.cast(noise, variable.dtype))
    return module


def log_det_by_autodiff(function, x):
    """log|det| of the Jacobian of `function` at every event of `x`, `[N]`.

    The Jacobian has a row for every output. A batch of copies of `x`, one per
    output, gives all rows in one backward pass.

    Args:
        function: callable of a batch of batches, `[E, N, *event_shape]`.
        x: `Tensor` of shape `[N, *event_shape]`.
    """
    num_events = x.shape[0]
    copies = tf.repeat(x[tf.newaxis], x[0].shape.num_elements(), axis=0)
    size = copies.shape[0]
    with tf.GradientTape() as tape:
        tape.watch(copies)
        y = tf.reshape(function(copies), [size, num_events, size])
        diagonal = tf.einsum("ini->", y)
    rows = tape.gradient(diagonal, copies, unconnected_gradients="zero")
    rows = tf.reshape(rows, [size, num_events, size])
    return tf.linalg.slogdet(tf.transpose(rows, [1, 0, 2]))[1]


def count_ops(function, *args, op_type="Conv2D"):
    """Counts the operations of one type in the program of a function.

    Operations in the body of a loop count once. If `op_type` is `None`, all
    types count.
    """
    graph = tf.function(function).get_concrete_function(*args).graph
    program = graph.as_graph_def()
    nodes = list(program.node)
    functions = {f.signature.name: f.node_def for f in program.library.function}
    called = set()
    for node in nodes:  # Grows while it is walked.
        for attribute in node.attr.values():
            name = attribute.func.name
            if name in functions and name not in called:
                called.add(name)
                nodes.extend(functions[name])
    return sum(op_type in (None, node.op) for node in nodes)


def noise_of(dequantized, x, uniform):
    """Returns the noise that `draw` makes of uniform noise, and its log-density."""
    with (
        mock.patch.object(samplers, "uniform", return_value=uniform),
        mock.patch.object(dequantized, "dequantize", lambda _, noise: noise),
    ):
        return dequantized.draw(x, seed=0, first_row=0)
