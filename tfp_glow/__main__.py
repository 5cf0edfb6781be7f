# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the command line: `python -m tfp_glow`."""

import sys

from tfp_glow.train import cli

sys.exit(cli.main())
