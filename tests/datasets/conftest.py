# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of `tfp_glow.datasets`."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """A folder of prepared data sets, so that each is made once."""
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture
def numbered(tmp_path):
    """The path of 100 images, each of the gray level that is its number."""
    path = tmp_path / "numbered.npy"
    x = np.broadcast_to(np.arange(100)[:, None, None], [100, 6, 4])
    np.save(path, x)
    return path
