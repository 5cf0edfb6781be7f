# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The environment of the explorer's tests."""

import pytest


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Replaces the seeds of other tests.

    Setting TensorFlow's seed makes it forget how it optimized functions, which
    takes half a second for each. The explorer needs none.
    """
