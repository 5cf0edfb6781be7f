# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`python -m tfp_glow`."""

import sys

from tfp_glow import cli

sys.exit(cli.main())
