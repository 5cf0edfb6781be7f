# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The version of the package, which `setup.py` reads without importing it."""

__version__ = "1.0.0"
