# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs the command line: `python -m tfp_glow`."""

import sys

try:
    from tfp_glow.train import cli

    status = cli.main()
except KeyboardInterrupt:  # Ctrl-C came during this import.
    print("Interrupted.", file=sys.stderr)
    status = 130
sys.exit(status)
