# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strategies of `tf.distribute`: one device, several, or several machines.

What a model learns does not depend on the strategy, as long as the global
batches are the same; see `tfp_glow.replicas`.
"""

import contextlib
import functools
import json
import os
import zlib

import tensorflow as tf

from tfp_glow import _checks

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
    """Makes a strategy, in whose `scope()` models are made and loaded.

    That of several workers must be made before TensorFlow runs any operation.
    It waits for all of them.

    Args:
        name: `"none"` for one device; `"mirrored"` for all GPUs of this
            machine, or else its logical CPUs; `"multi_worker"` for the workers
            of the environment's `TF_CONFIG`, of which this process is one.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: before any work, if the name is another one, or `TF_CONFIG`
            is missing or does not describe a worker of a cluster.
        ConnectionError: if the workers do not find each other.
    """
    _checks.choice("strategy", name, NAMES)
    if name == "multi_worker":
        text = os.environ.get("TF_CONFIG")
        _check_tf_config(text)
        with _connection_errors():
            return _multi_worker(text)
    if name == "mirrored":
        devices = tf.config.list_logical_devices(
            "GPU"
        ) or tf.config.list_logical_devices("CPU")
        return _mirrored(tuple(d.name for d in devices))
    return tf.distribute.get_strategy()


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


def lost_workers(strategy):
    """A context in which a loss of other workers is a `ConnectionError`."""
    if num_workers(strategy) == 1:
        return contextlib.nullcontext()
    return _connection_errors()


# What follows is called by all workers at the same place of the program. Each
# waits there for the others.


def wait_for_all(strategy):
    """Returns once all workers have come here."""
    any_worker(strategy, False)


@contextlib.contextmanager
def chief_first(strategy):
    """A context that the other workers enter when the chief has left it."""
    if not is_chief(strategy):
        wait_for_all(strategy)
    try:
        yield
    finally:
        if is_chief(strategy):
            wait_for_all(strategy)


def any_worker(strategy, value):
    """Whether a `bool` is true on any worker, the same answer for all."""
    if num_workers(strategy) == 1:
        return value
    total = strategy.reduce("sum", tf.constant(float(value)), axis=None)
    return bool(total > 0)


def check_same(strategy, **values):
    """Raises `ValueError`, on all workers, unless they have the same values.

    Args:
        strategy: `tf.distribute.Strategy`.
        **values: what JSON can hold.
    """
    if num_workers(strategy) == 1:
        return
    digests = {
        name: zlib.crc32(json.dumps(value, sort_keys=True).encode())
        for name, value in values.items()
    }
    own = tf.constant([list(digests.values())], tf.int64)
    rows = strategy.gather(own, axis=0).numpy()
    for column, (name, value) in zip(rows.T, values.items()):
        if any(column != column[0]):
            raise ValueError(
                f"Expected the same {name} on all {len(rows)} workers. "
                f"Received here: {value}, and something else on another"
            )


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

    TensorFlow's own choice would be to deal out files, and batches would
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


@contextlib.contextmanager
def _connection_errors():
    try:
        yield
    except _LOST_WORKER as error:
        _, _, cause = error.message.partition("aborted by: ")
        cause = (cause or error.message).strip().split("\n")[0]
        raise ConnectionError(
            "Expected all workers of TF_CONFIG to be running and to be "
            "reached. At least one is not; start all of them again, and they "
            f"resume from the last checkpoint. TensorFlow says: {cause}"
        ) from error


# Two strategies in a process take each other's sums for their own.


@functools.lru_cache
def _mirrored(devices):
    return tf.distribute.MirroredStrategy(devices)


@functools.lru_cache
def _multi_worker(_):
    """The strategy of a `TF_CONFIG`."""
    return tf.distribute.MultiWorkerMirroredStrategy()


def _check_tf_config(text):
    if not text:
        raise _invalid_tf_config("a description of the cluster", "none")
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _invalid_tf_config("JSON", text) from error
    cluster, task = (_part(config, name) for name in ("cluster", "task"))
    workers = cluster.get("worker")
    if not (
        isinstance(workers, list)
        and workers
        and all(isinstance(w, str) and ":" in w for w in workers)
    ):
        raise _invalid_tf_config(
            'a list of addresses, "host:port", as worker of its cluster', text
        )
    kind, index = task.get("type"), task.get("index")
    if kind not in ("chief", "worker") or kind not in cluster:
        raise _invalid_tf_config(
            'as type of its task "worker", or "chief" if its cluster has one',
            text,
        )
    count = len(cluster[kind])
    if type(index) is not int or not 0 <= index < count:
        raise _invalid_tf_config(
            f"as index of its task an integer of at least 0 and below {count}, "
            f"the number of addresses of {kind}",
            text,
        )


def _part(config, name):
    part = config.get(name) if isinstance(config, dict) else None
    return part if isinstance(part, dict) else {}


def _invalid_tf_config(expected, received):
    return ValueError(
        "Invalid value of the environment variable TF_CONFIG, which strategy "
        f"multi_worker needs. Expected {expected}. Received: {received}. An "
        f"example is {_EXAMPLE}"
    )
