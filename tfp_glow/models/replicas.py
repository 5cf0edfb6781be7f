# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Makes the result of a training step independent of the number of replicas.

A strategy of `tf.distribute` cuts a global batch into pieces, one for each
replica. With the functions here a replica computes what one device would
compute for the same rows of the whole batch. Outside of replicas they change
nothing.
"""

import tensorflow as tf

from tfp_glow.models import strategies


def first_row(num_rows):
    """Returns the index in the global batch of this replica's first row.

    The replica has `num_rows` rows. Outside of replicas the result is 0.
    """
    context = _replica_context()
    if context is None:
        return 0
    sizes, position = _rows_of_replicas(context, num_rows)
    return tf.reduce_sum(sizes[:position])


def weight_gradient(loss, num_rows):
    """Weights the gradient of a replica's loss by its share of the rows.

    The mean of the replicas' gradients is then the gradient of the global
    batch. The value of `loss` stays because Keras weights the values itself.
    """
    context = _replica_context()
    if context is None:
        return loss
    sizes, position = _rows_of_replicas(context, num_rows)
    sizes = tf.cast(sizes, loss.dtype)
    share = sizes[position] / tf.reduce_mean(sizes)
    return share * loss + tf.stop_gradient((1.0 - share) * loss)


def of_rows(function, num_rows, dtype):
    """Returns `function()`, of shape `[num_rows]`, unless there are no rows.

    A replica may receive no rows of the last batch, and then TensorFlow's
    convolutions return wrong shapes on CPUs.
    """
    if _replica_context() is None or tf.get_static_value(num_rows):
        return function()
    return tf.cond(num_rows > 0, function, lambda: tf.zeros([0], dtype))


def clip_sum_of_gradients(optimizer):
    """Makes a Keras optimizer clip the gradient of the global batch.

    Keras clips the gradient of every replica and then adds them up, so that the
    result would depend on the number of replicas. Only the first call changes
    the optimizer.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if _replica_context() is None or "_clip_gradients" in vars(optimizer):
        return
    clip, add = optimizer._clip_gradients, optimizer._all_reduce_sum_gradients

    def add_and_clip(gradients_and_variables):
        gradients, variables = zip(*add(gradients_and_variables))
        return list(zip(clip(gradients), variables))

    optimizer._clip_gradients = lambda gradients: gradients
    optimizer._all_reduce_sum_gradients = add_and_clip


def logs(values):
    """Returns the logs of a step, as Keras expects them of a replica."""
    # Keras takes the mean over workers along an axis.
    if strategies.num_workers(tf.distribute.get_strategy()) == 1:
        return values
    return {name: tf.reshape(value, [1]) for name, value in values.items()}


def _replica_context():
    """Returns the context of one of several replicas, or `None`."""
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context


def _rows_of_replicas(context, num_rows):
    """Returns all replicas' row counts, and this replica's index in them."""
    # Consecutive pieces of a batch go to different workers.
    num_replicas = context.num_replicas_in_sync
    num_workers = strategies.num_workers(context.strategy)
    per_worker = num_replicas // num_workers
    index = context.replica_id_in_sync_group
    position = index % per_worker * num_workers + index // per_worker
    # Floats are reduced on any device, as gradients are.
    own = tf.one_hot(position, num_replicas) * tf.cast(num_rows, tf.float32)
    return tf.cast(context.all_reduce("sum", own), tf.int32), position
