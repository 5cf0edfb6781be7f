# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parts of a batch at once, where every operation has one thread."""

import itertools

import tensorflow as tf
from tensorflow_probability.python.internal import prefer_static as ps


def at_once(run, x, event_ndims, conditioning):
    """Returns a function like `run` that may divide a batch into parts.

    TensorFlow divides the work of an operation among its threads. The operations
    of a flow are so short that this gains little. Where an operation has one
    thread, so that several run side by side, the parts of a batch do. Results
    differ by rounding errors.

    Args:
        run: callable of a batch `[N, ...]`, stacked parameters, and conditioning.
            It returns a tuple of tensors `[N, ...]`.
        x: `Tensor`, the batch.
        event_ndims: `int`, dimensions of an event. A batch of more dimensions
            than one is not divided.
        conditioning: dictionary of tensors. With any, a batch is not divided.
    """
    count = _num_threads()
    size = x.shape[0] if x.shape.rank == event_ndims + 1 else 0
    if conditioning or count == 1 or (size is not None and size < count):
        return run

    def run_parts(x, prepared, conditioning):
        size = ps.shape(x)[0]
        bounds = [size * i // count for i in range(count + 1)]
        results = []
        for start, end in itertools.pairwise(bounds):
            # No part is empty, which TensorFlow could not differentiate.
            rows = x[start : ps.maximum(end, start + 1)]
            found = run(rows, prepared, conditioning)
            results.append([value[: end - start] for value in found])
        return tuple(tf.concat(parts, axis=0) for parts in zip(*results))

    return run_parts


def _num_threads():
    """Returns how many operations of one thread each TensorFlow runs at once."""
    threading = tf.config.threading
    is_divided = threading.get_intra_op_parallelism_threads() != 1
    if is_divided or tf.config.list_physical_devices("GPU"):
        return 1
    return max(threading.get_inter_op_parallelism_threads(), 1)
