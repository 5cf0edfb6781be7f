# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Steps of training whose result does not depend on the number of replicas.

A strategy of `tf.distribute` cuts a global batch into pieces, one for each
replica. The functions here let a replica do what one device would do with its
rows of the whole batch. Outside of replicas they do nothing.
"""

import functools

import tensorflow as tf

from tfp_glow.models import strategies


def first_row(num_rows):
    """Which row of the global batch the first of this replica's is.

    Args:
        num_rows: int32 scalar `Tensor`, how many the replica has.

    Returns:
        int32 scalar `Tensor`; `None` outside of replicas.
    """
    context = _replica_context()
    if context is None:
        return None
    sizes, position = _rows_of_replicas(context, num_rows)
    return tf.reduce_sum(sizes[:position])


def weight_gradient(loss, num_rows):
    """A replica's mean loss, of a gradient weighted by its share of the rows.

    So that the mean of the replicas' gradients is that of the global batch.
    Keras weights the values itself.

    Args:
        loss: floating scalar `Tensor`, the mean over the replica's rows.
        num_rows: int32 scalar `Tensor`, how many these are.

    Returns:
        `Tensor` of the value of `loss`.
    """
    context = _replica_context()
    if context is None:
        return loss
    sizes, position = _rows_of_replicas(context, num_rows)
    sizes = tf.cast(sizes, loss.dtype)
    share = sizes[position] / tf.reduce_mean(sizes)
    return share * loss + tf.stop_gradient((1.0 - share) * loss)


def of_rows(function, num_rows, dtype):
    """What a function makes of a replica's rows, of which there may be none.

    A replica may get nothing of a last batch, and TensorFlow's convolutions on
    CPUs give wrong shapes then.

    Args:
        function: callable without arguments, of result `[num_rows]`.
        num_rows: int32 scalar `Tensor`.
        dtype: of the result.

    Returns:
        `Tensor` `[num_rows]`.
    """
    if _replica_context() is None or tf.get_static_value(num_rows):
        return function()
    return tf.cond(num_rows > 0, function, lambda: tf.zeros([0], dtype))


def clip_sum_of_gradients(optimizer):
    """Makes a Keras optimizer clip the gradient of the global batch.

    Keras clips every replica's gradient and then adds them up, so that what is
    learned would depend on how many replicas there are.

    Args:
        optimizer: `keras.optimizers.Optimizer`, which is changed, once.
    """
    clip, add = optimizer._clip_gradients, optimizer._all_reduce_sum_gradients
    if isinstance(add, functools.partial):
        return
    optimizer._clip_gradients = _unchanged
    optimizer._all_reduce_sum_gradients = functools.partial(
        _add_and_clip, add, clip
    )


def _unchanged(gradients):
    return gradients


def _add_and_clip(add, clip, gradients_and_variables):
    gradients, variables = zip(*add(gradients_and_variables))
    return list(zip(clip(gradients), variables))


def _replica_context():
    """The context of one of several replicas, or `None`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context


def _rows_of_replicas(context, num_rows):
    """How many rows each replica has, in the order of the data.

    Returns:
        int32 `Tensor` `[num_replicas]`, and this replica's place in it.
    """
    # The pieces of a batch are dealt to the workers one by one.
    num_replicas = context.num_replicas_in_sync
    num_workers = strategies.num_workers(context.strategy)
    per_worker = num_replicas // num_workers
    index = context.replica_id_in_sync_group
    position = index % per_worker * num_workers + index // per_worker
    # Floats, which take the way of the gradients on any device.
    own = tf.one_hot(position, num_replicas) * tf.cast(num_rows, tf.float32)
    return tf.cast(context.all_reduce("sum", own), tf.int32), position
