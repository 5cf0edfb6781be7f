# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loop over stacked parameters that `Repeated` is built on."""

import tensorflow as tf


def scan(
    step,
    carry,
    stacked,
    *constants,
    num_steps,
    outs=(),
    reverse=False,
    differentiable=False,
):
    """Runs a function once for every slice of stacked tensors.

    ```none
    for k in 0 ... num_steps - 1, or in reverse:
        carry, out[k] = step(k, carry, slice k of stacked, *constants)
    ```

    The graph holds `step` once, whatever `num_steps` is. XLA compiles it.

    Args:
        step: callable of the index, an int32 scalar, and the arguments above. It
            returns a new carry of the same shapes, and an output.
        carry: nested tensors.
        stacked: nested tensors of shape `[num_steps, ...]`.
        *constants: nested tensors that every step gets.
        num_steps: `int`.
        outs: nested `tf.TensorSpec`s, of the output of one step.
        reverse: `bool`; if true, the last slice comes first.
        differentiable: `bool`; whether TensorFlow will differentiate the loop.
            If so, slices are read from arrays, because the gradient of
            `tf.gather` would be as large as the stack for every slice.

    Returns:
        The last carry, and the stacked outputs `[num_steps, ...]`.
    """
    read = _array_reader(stacked) if differentiable else _gatherer(stacked)

    def body(i, carry, arrays):
        k = num_steps - 1 - i if reverse else i
        carry, out = step(k, carry, read(k), *constants)
        arrays = tf.nest.map_structure(
            lambda array, value: array.write(k, value), arrays, out
        )
        return i + 1, carry, arrays

    arrays = tf.nest.map_structure(
        lambda spec: tf.TensorArray(
            spec.dtype, num_steps, element_shape=spec.shape
        ),
        outs,
    )
    # Counts upwards from 0 so that XLA knows the trip count, and a GPU does not
    # wait for the host after each iteration.
    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < num_steps,
        body,
        (tf.constant(0), carry, arrays),
        parallel_iterations=1,
        maximum_iterations=num_steps,
    )
    return carry, tf.nest.map_structure(
        lambda array, spec: tf.ensure_shape(
            array.stack(), [num_steps, *spec.shape]
        ),
        arrays,
        outs,
    )


def specs(stacked):
    """Returns the `tf.TensorSpec`s of a slice of stacked tensors."""
    return tf.nest.map_structure(
        lambda p: tf.TensorSpec(p.shape[1:], p.dtype), stacked
    )


def first(stacked):
    """Returns the first slice of stacked tensors."""
    return tf.nest.map_structure(lambda p: p[0], stacked)


def _gatherer(stacked):
    # Like `p[k]`, in one operation instead of eight.
    return lambda k: tf.nest.map_structure(lambda p: tf.gather(p, k), stacked)


def _array_reader(stacked):
    arrays = tf.nest.map_structure(
        lambda p: tf.TensorArray(
            p.dtype,
            p.shape[0],
            element_shape=p.shape[1:],
            clear_after_read=False,
        ).unstack(p),
        stacked,
    )
    return lambda k: tf.nest.map_structure(
        lambda array, p: tf.ensure_shape(array.read(k), p.shape[1:]),
        arrays,
        stacked,
    )
