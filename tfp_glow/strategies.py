# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training on several devices and machines, of the same result as on one.

A strategy of `tf.distribute` gives each replica its rows of a global batch.
What a step does with all of them must not depend on how many replicas there
are; the functions of replicas here tell a replica its place among the others.
"""

import contextlib
import functools
import json
import os

import tensorflow as tf

from tfp_glow import checks

NAMES = ("none", "mirrored", "multi_worker")

_EXAMPLE = (
    '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)

# What TensorFlow raises where a worker is lost, or cannot be reached.
_LOST_WORKER = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


def make(name):
    """Makes a strategy, in whose `scope()` models are made.

    That of several workers must be made before TensorFlow runs any operation;
    it waits for the others.

    Args:
        name: `"none"` for one device; `"mirrored"` for all GPUs of this
            machine, or else its (logical) CPUs; `"multi_worker"` for the
            workers of the environment's `TF_CONFIG`, of which this process is
            one.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: if the name is another one, or `TF_CONFIG` is missing or
            describes no worker of a cluster.
        ConnectionError: if the workers do not find each other.
    """
    check(name)
    if name == "none":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices(
            "GPU"
        ) or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([d.name for d in devices])
    with lost_workers():
        return _multi_worker(os.environ["TF_CONFIG"])


def check(name):
    """Raises the `ValueError`s of `make`, without any work."""
    checks.choice("strategy", name, NAMES)
    if name == "multi_worker":
        _check_tf_config(os.environ.get("TF_CONFIG"))


def is_chief(strategy=None):
    """Whether this process writes the files that all workers share.

    Args:
        strategy: `tf.distribute.Strategy`, the current one by default.

    Returns:
        `bool`, `False` for all workers but the first.
    """
    strategy = strategy or tf.distribute.get_strategy()
    return strategy.extended.should_checkpoint


def num_workers(strategy):
    """The number of processes of a strategy, an `int`."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return strategy.extended._num_workers


@contextlib.contextmanager
def lost_workers():
    """Turns TensorFlow's errors of a lost worker into `ConnectionError`."""
    try:
        yield
    except _LOST_WORKER as error:
        raise ConnectionError(
            "Expected all workers of TF_CONFIG to be running. At least one "
            "cannot be reached; start all of them again, and they resume from "
            f"the last checkpoint. {error.message}"
        ) from error


def wait_for_all(strategy):
    """Returns once all workers have come here."""
    any_worker(strategy, False)


def any_worker(strategy, value):
    """Whether a `bool` is true on any worker, the same answer for all."""
    if num_workers(strategy) == 1:
        return value
    total = strategy.reduce("sum", tf.constant(float(value)), axis=None)
    return bool(total > 0)


def copy_from_chief(strategy, variables):
    """Gives variables of all workers the values that they have on the chief.

    Args:
        strategy: `tf.distribute.Strategy`.
        variables: list of `tf.Variable`s or `keras.Variable`s.
    """
    if num_workers(strategy) == 1:
        return
    for variable in variables:
        value = tf.convert_to_tensor(variable)
        value = value if is_chief(strategy) else tf.zeros_like(value)
        variable.assign(strategy.reduce("sum", value, axis=None))


def shard(dataset, strategy):
    """A data set of global batches of which each worker gets its part.

    TensorFlow's own choice is to deal out files, so that the batches would
    depend on how many workers there are.

    Args:
        dataset: batched `tf.data.Dataset`, in the same order on all workers.
        strategy: `tf.distribute.Strategy`.

    Returns:
        `tf.data.Dataset` of the same elements.
    """
    policy = tf.data.experimental.AutoShardPolicy
    chosen = dataset.options().experimental_distribute.auto_shard_policy
    if num_workers(strategy) == 1 or chosen != policy.AUTO:
        return dataset
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policy.DATA
    return dataset.with_options(options)


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
    """Rows of each replica, in the order of the data, and this one's place."""
    # A batch is cut into as many pieces as there are replicas, and these are
    # dealt to the workers one by one.
    strategy = context.strategy
    workers = num_workers(strategy)
    replicas = context.num_replicas_in_sync
    index = context.replica_id_in_sync_group
    position = index % (replicas // workers) * workers + index // (
        replicas // workers
    )
    own = tf.one_hot(position, replicas, dtype=tf.int32) * num_rows
    return context.all_reduce("sum", own), position


@functools.lru_cache(maxsize=1)
def _multi_worker(_):
    """The strategy, which a process can make once for a `TF_CONFIG`."""
    return tf.distribute.MultiWorkerMirroredStrategy()


def _check_tf_config(text):
    if not text:
        raise _invalid_tf_config("the environment to have it", "none")
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _invalid_tf_config("JSON", text) from error
    config = config if isinstance(config, dict) else {}
    cluster, task = config.get("cluster"), config.get("task")
    cluster = cluster if isinstance(cluster, dict) else {}
    task = task if isinstance(task, dict) else {}
    workers = cluster.get("worker")
    if not (
        isinstance(workers, list)
        and workers
        and all(isinstance(w, str) and ":" in w for w in workers)
    ):
        raise _invalid_tf_config(
            'a list of addresses, "host:port", at cluster, worker', text
        )
    kind, index = task.get("type"), task.get("index")
    if kind not in ("chief", "worker") or kind not in cluster:
        raise _invalid_tf_config(
            'task, type to be "worker", or "chief" if cluster has one', text
        )
    count = len(cluster[kind])
    if type(index) is not int or not 0 <= index < count:
        raise _invalid_tf_config(
            f"task, index to be an integer from 0 to {count - 1}, as cluster "
            f"has {count} of type {kind}",
            text,
        )


def _invalid_tf_config(expected, received):
    return ValueError(
        "Invalid value of the environment variable TF_CONFIG, which strategy "
        f"multi_worker needs. Expected {expected}. Received: {received}. An "
        f"example is {_EXAMPLE}"
    )
