# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""What every test runs under: quiet TensorFlow, parsed flags, fixed seeds."""

import os

# Read when TensorFlow is imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import pytest
from absl import flags


def pytest_configure(config):
    # TFP's test utilities read absl flags; pytest's arguments are not theirs.
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
    # A warning that our own code causes is an error.
    config.addinivalue_line("filterwarnings", r"error:::tfp_glow(\.|$)")


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Seeds `random`, NumPy and TensorFlow before every test."""
    keras.utils.set_random_seed(0)
