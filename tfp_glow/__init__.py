# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Glow normalizing flows for TensorFlow Probability and Keras 3."""

import importlib
import os
import sys

from tfp_glow import _arguments
from tfp_glow.version import __version__ as __version__

# Public classes and functions, by the subpackage that exports them.
_NAMES = {
    "ActNorm": "bijectors",
    "Additive": "bijectors",
    "Affine": "bijectors",
    "AffineCoupling": "bijectors",
    "Coupling": "bijectors",
    "Elementwise": "bijectors",
    "FullInvertible1x1Conv": "bijectors",
    "Glow": "bijectors",
    "Invertible1x1Conv": "bijectors",
    "Mixture": "bijectors",
    "MixtureCoupling": "bijectors",
    "MixtureOfLogistics": "bijectors",
    "Repeated": "bijectors",
    "Spline": "bijectors",
    "SplineCoupling": "bijectors",
    "Squeeze": "bijectors",
    "Transformer": "bijectors",
    "from_tfb_glow": "bijectors",
    "Dequantized": "distributions",
    "NoiseFlow": "distributions",
    "bits_per_dim": "distributions",
    "glow_distribution": "distributions",
    "vector_flow": "distributions",
    "FlowModel": "models",
    "GlowModel": "models",
}

# Public modules. They load on first use, because some of them import
# Matplotlib, scikit-learn, scikit-image or TFDS.
_MODULES = {
    "baselines": "distributions.baselines",
    "callbacks": "train.callbacks",
    "datasets": "datasets",
    "latents": "analysis.latents",
    "layers": "models.layers",
    "networks": "networks",
    "perception": "analysis.perception",
    "plots": "train.plots",
    "presets": "train.presets",
    "recipe": "models.recipe",
    "stability": "analysis.stability",
    "toy": "distributions.toy",
    "typicality": "analysis.typicality",
}


__all__ = sorted([*_NAMES, *_MODULES])


def __getattr__(name):
    if name in _NAMES:
        package = importlib.import_module(f"tfp_glow.{_NAMES[name]}")
        value = getattr(package, name)
    elif name in _MODULES:
        value = importlib.import_module(f"tfp_glow.{_MODULES[name]}")
    else:
        raise AttributeError(
            f"module 'tfp_glow' has no attribute {name!r}",
            name=name,
            obj=sys.modules[__name__],
        )
    globals()[name] = _arguments.suggest(value)
    return globals()[name]


def __dir__():
    hidden = [name for name in globals() if name.startswith("__")]
    return sorted({*hidden, *__all__})


# Keras can load a saved model only after its class was registered. The command
# line imports the models itself when a command needs them, so that `--help` does
# not wait for TensorFlow.
_started_by = sys.orig_argv[1:3]
if _started_by != ["-m", "tfp_glow"] and not (
    _started_by and os.path.basename(_started_by[0]) == "tfp-glow"
):
    importlib.import_module("tfp_glow.models")
