# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Modules that are imported when they are first used.

The command line reads the flags of a command from its module. TensorFlow, which
most of our modules import, would take seconds.
"""

import importlib
import sys
import types


def module(name):
    """Returns the module of a full name, or one that imports it when used."""
    return sys.modules.get(name) or _Module(name)


class _Module(types.ModuleType):
    def __getattr__(self, name):
        return getattr(importlib.import_module(self.__name__), name)
