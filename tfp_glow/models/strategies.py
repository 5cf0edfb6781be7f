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
    workers, and raises `ConnectionError` if they do not find each other.

    | name | devices |
    |---|---|
    | `"none"` | one device |
    | `"mirrored"` | all GPUs of this machine, or its logical CPUs |
    | `"multi_worker"` | the workers in the environment variable `TF_CONFIG` |
    """
    _checks.choice("strategy", name, NAMES)
    if name == "multi_worker":
        return _multi_worker(os.environ.get("TF_CONFIG"))
    if name == "mirrored":
        listed = tf.config.list_logical_devices
        devices = listed("GPU") or listed("CPU")
        return _mirrored(tuple(d.name for d in devices))
    return tf.distribute.get_strategy()


def is_chief(strategy=None):
    """Whether this process, the first worker, writes the shared files."""
    strategy = strategy or tf.distribute.get_strategy()
    return strategy.extended.should_checkpoint


def num_workers(strategy):
    """Returns the number of processes of a strategy, an `int`."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return strategy.extended._num_workers


@contextlib.contextmanager
def lost_workers(strategy=None):
    """A context in which losing a worker raises `ConnectionError`."""
    try:
        yield
    except _LOST_WORKER as error:
        if strategy is not None and num_workers(strategy) == 1:
            raise
        _, _, cause = error.message.partition("aborted by: ")
        cause = (cause or error.message).strip().split("\n")[0]
        raise ConnectionError(
            "Expected all workers of TF_CONFIG to be running and reachable. At "
            "least one is not. Start all of them again; they resume from the "
            f"last checkpoint. Received from TensorFlow: {cause}"
        ) from error


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
    """Raises `ValueError` on all workers unless all have the same values."""
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
    """Copies the chief's values of variables to all workers."""
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
    """
    policy = tf.data.experimental.AutoShardPolicy
    chosen = dataset.options().experimental_distribute.auto_shard_policy
    if num_workers(strategy) == 1 or chosen != policy.AUTO:
        return dataset
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = policy.DATA
    return dataset.with_options(options)


# Two strategies in one process would mix up their sums.


@functools.lru_cache
def _mirrored(devices):
    return tf.distribute.MirroredStrategy(devices)


@functools.lru_cache
def _multi_worker(tf_config):
    expected = _expected_tf_config(tf_config)
    if expected is not None:
        raise ValueError(
            "Invalid value of the environment variable TF_CONFIG, which "
            f"strategy multi_worker needs. Expected {expected}. Received: "
            f"{tf_config or 'none'}. An example is {_EXAMPLE}"
        )
    with lost_workers():
        return tf.distribute.MultiWorkerMirroredStrategy()


def _expected_tf_config(text):
    """Returns what a `TF_CONFIG` lacks, or `None` if it is complete."""
    if not text:
        return "a description of the cluster"
    try:
        config = json.loads(text)
    except ValueError:
        return "JSON"
    cluster, task = _part(config, "cluster"), _part(config, "task")
    workers = cluster.get("worker")
    is_list = isinstance(workers, list) and bool(workers)
    if not (is_list and all(isinstance(w, str) and ":" in w for w in workers)):
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
