# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The loop over stacked parameters that `Repeated` is built on."""

import collections

import tensorflow as tf

# Slices of at most this many numbers are read together.
_MOST_PACKED = 4096


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
    packed, unpack = _pack(stacked, num_steps)
    read = (_array_reader if differentiable else _gatherer)(packed)

    def body(i, carry, arrays):
        k = num_steps - 1 - i if reverse else i
        carry, out = step(k, carry, unpack(read(k)), *constants)
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


def _pack(stacked, num_steps):
    """Joins small tensors of one type, because each costs many operations.

    Returns the tensors `[num_steps, ...]` to read slices from, and a function
    from their slices to those of `stacked`.
    """
    flat = tf.nest.flatten(stacked)
    groups = collections.defaultdict(list)
    for index, p in enumerate(flat):
        size = p.shape[1:].num_elements()
        is_small = size is not None and size <= _MOST_PACKED
        groups[p.dtype.name if is_small else index].append(index)
    groups = list(groups.values())
    packed = [
        flat[group[0]]
        if len(group) == 1
        else tf.concat(
            [tf.reshape(flat[index], [num_steps, -1]) for index in group],
            axis=1,
        )
        for group in groups
    ]

    def unpack(slices):
        found = {}
        for group, part in zip(groups, slices):
            if len(group) == 1:
                found[group[0]] = part
                continue
            shapes = [flat[index].shape[1:] for index in group]
            sizes = [shape.num_elements() for shape in shapes]
            for index, row, shape in zip(group, tf.split(part, sizes), shapes):
                found[index] = tf.reshape(row, shape)
        ordered = [found[index] for index in range(len(flat))]
        return tf.nest.pack_sequence_as(stacked, ordered)

    return packed, unpack


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
