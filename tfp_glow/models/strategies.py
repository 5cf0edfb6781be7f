# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Strategies of `tf.distribute`: one device, several, or several machines.

The weights that a model learns do not depend on the strategy, as long as the
global batches are the same; see `replicas`.
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

# TensorFlow's errors if a worker is lost, or cannot be reached.
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
    """Makes a strategy. Models are made and loaded in its `scope()`.

    Make `"multi_worker"` before TensorFlow runs any operation. It waits for all
    workers.

    Args:
        name: `"none"` for one device; `"mirrored"` for all GPUs of this
            machine, or its logical CPUs if it has none; `"multi_worker"` for
            the workers in the environment variable `TF_CONFIG`, of which this
            process is one.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: before any work, if the name is not one of these, or
            `TF_CONFIG` is missing or does not describe a worker of a cluster.
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
    """Whether this process, the first worker, writes the shared files.

    Args:
        strategy: `tf.distribute.Strategy`, the current one by default.
    """
    strategy = strategy or tf.distribute.get_strategy()
    return strategy.extended.should_checkpoint


def num_workers(strategy):
    """Returns the number of processes of a strategy, an `int`."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return strategy.extended._num_workers


def lost_workers(strategy):
    """Returns a context in which losing a worker raises `ConnectionError`."""
    if num_workers(strategy) == 1:
        return contextlib.nullcontext()
    return _connection_errors()


# All workers must call the following functions at the same place of the program.
# Each worker waits there for the others.


def wait_for_all(strategy):
    """Returns when all workers have called this function."""
    any_worker(strategy, False)


@contextlib.contextmanager
def chief_first(strategy):
    """A context that the other workers enter after the chief has left it."""
    if not is_chief(strategy):
        wait_for_all(strategy)
    try:
        yield
    finally:
        if is_chief(strategy):
            wait_for_all(strategy)


def any_worker(strategy, value):
    """Whether a `bool` is true on any worker. All workers get the answer."""
    if num_workers(strategy) == 1:
        return value
    total = strategy.reduce("sum", tf.constant(float(value)), axis=None)
    return bool(total > 0)


def check_same(strategy, **values):
    """Raises `ValueError` on all workers unless they have the same values.

    Args:
        strategy: `tf.distribute.Strategy`.
        **values: values that JSON can hold.
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
                f"Received: {value} on this worker, and another value elsewhere"
            )


def copy_from_chief(strategy, variables):
    """Copies the chief's values of variables to all workers.

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
    """Makes every worker read its part of the global batches of a data set.

    By default TensorFlow distributes files, so that the batches would depend on
    the number of workers.

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
            "Expected all workers of TF_CONFIG to be running and reachable. At "
            "least one is not. Start all of them again; they resume from the "
            f"last checkpoint. Received from TensorFlow: {cause}"
        ) from error


# Two strategies in one process would mix up their sums.


@functools.lru_cache
def _mirrored(devices):
    return tf.distribute.MirroredStrategy(devices)


@functools.lru_cache
def _multi_worker(_):
    """Returns the strategy of a `TF_CONFIG`."""
    return tf.distribute.MultiWorkerMirroredStrategy()


def _check_tf_config(text):
    config, expected = None, "a description of the cluster"
    if text:
        expected = "JSON"
        with contextlib.suppress(ValueError):
            config = json.loads(text)
            expected = _expected_instead_of(config)
    if expected is not None:
        raise ValueError(
            "Invalid value of the environment variable TF_CONFIG, which "
            f"strategy multi_worker needs. Expected {expected}. Received: "
            f"{text or 'none'}. An example is {_EXAMPLE}"
        )


def _expected_instead_of(config):
    """Says what is wrong with a `TF_CONFIG`; `None` if nothing is."""
    cluster, task = (_part(config, name) for name in ("cluster", "task"))
    workers = cluster.get("worker")
    if not (
        isinstance(workers, list)
        and workers
        and all(isinstance(w, str) and ":" in w for w in workers)
    ):
        return 'a list of addresses, "host:port", as worker of its cluster'
    kind, index = task.get("type"), task.get("index")
    if kind not in ("chief", "worker") or kind not in cluster:
        return 'as type of its task "worker", or "chief" if its cluster has one'
    count = len(cluster[kind])
    if type(index) is not int or not 0 <= index < count:
        return (
            f"as index of its task an integer of at least 0 and below {count}, "
            f"the number of addresses of {kind}"
        )
    return None


def _part(config, name):
    part = config.get(name) if isinstance(config, dict) else None
    return part if isinstance(part, dict) else {}
