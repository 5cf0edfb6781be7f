# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every test runs under.

Quiet TensorFlow, parsed flags, fixed seeds, and `tf.data` without autotuning:
where an iterator is collected, TensorFlow waits for the thread that tunes it, at
times for a minute, and meanwhile no Python runs.
"""

import gc
import os

# Read when TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
import tensorflow as tf
from absl import flags

_ITER = tf.data.Dataset.__iter__
# The longest tests, most of them of processes that they start.
_FIRST = ("resume_test.py", "strategies_test.py", "notebooks_test.py")


def pytest_configure(config):
    # TFP's test utilities read absl flags; pytest's arguments are not theirs.
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    # A warning that our own code causes is an error.
    config.addinivalue_line("filterwarnings", r"error:::tfp_glow(\.|$)")
    tf.data.Dataset.__iter__ = _iter_without_autotuning


def pytest_collection_modifyitems(items):
    # At the end one of them would run alone.
    items.sort(key=lambda item: item.path.name not in _FIRST)


def pytest_collection_finish():
    # What the imports made stays, and no collection need walk it again.
    gc.collect()
    gc.freeze()


def _iter_without_autotuning(dataset):
    options = tf.data.Options()
    options.autotune.enabled = False
    return _ITER(dataset.with_options(options))


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Seeds `random`, NumPy and TensorFlow before every test."""
    keras.utils.set_random_seed(0)
