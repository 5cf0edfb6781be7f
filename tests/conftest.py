# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The environment of every test.

TensorFlow is quiet, flags are parsed, seeds are fixed, and `tf.data` runs
without autotuning. TensorFlow waits for the tuning thread when an iterator is
deleted, at times for a minute, and blocks Python meanwhile.
"""

import gc
import os
import signal
import zlib
from unittest import mock

# Read when TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf
from absl import flags
from tensorflow.python.eager import context

_ITER = tf.data.Dataset.__iter__
# The longest tests. Most of them start processes.
_FIRST = ("resume_test.py", "strategies_test.py", "notebooks_test.py")


def pytest_configure(config):
    # TFP's test utilities read absl flags, and pytest has its own arguments.
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    tf.data.Dataset.__iter__ = _iter_without_autotuning
    # Shells start background jobs with Ctrl-C ignored, and the processes of the
    # tests would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    # If a long test came last, the other workers would wait for it.
    items.sort(key=lambda item: item.path.name not in _FIRST)


def pytest_collection_finish():
    # Imported objects stay, so the garbage collector need not visit them again.
    gc.collect()
    gc.freeze()


def _iter_without_autotuning(dataset):
    options = tf.data.Options()
    options.autotune.enabled = False
    return _ITER(dataset.with_options(options))


@pytest.fixture(autouse=True)
def fixed_seeds(request):
    """Seeds `random`, NumPy, Keras and TensorFlow before every test.

    Seeding also drops the kernels of all operations, and an eighth of the time
    of the tests went into making them again. So they are kept. Each test has
    another seed of TensorFlow, because a kernel of random numbers goes on where
    a test before has left it.
    """
    with mock.patch.object(context.pywrap_tfe, "TFE_ContextClearCaches"):
        keras.utils.set_random_seed(0)
        tf.random.set_seed(zlib.crc32(request.node.nodeid.encode()))
