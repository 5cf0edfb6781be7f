# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Training from the command line or from Python: recipe, runs, pictures."""
