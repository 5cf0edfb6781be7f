# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets of integer images: embedded ones, TFDS's, and your own files."""

from tfp_glow.datasets.files import SPLITS
from tfp_glow.datasets.loader import DatasetInfo
from tfp_glow.datasets.loader import info
from tfp_glow.datasets.loader import load
