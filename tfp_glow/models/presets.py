# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Presets: folders of trained models, some of which the package contains.

A preset is a folder in Keras' own format, as `model.save(path, zipped=False)`
writes it. Those of the package are in `weights`. Their `metrics.json` tells how
they were trained and what they reach.
"""

import json
import os
import pathlib

import keras

from tfp_glow import _checks
from tfp_glow import _files

WEIGHTS = pathlib.Path(__file__).parent / "weights"
# Keras reads these.
_FILES = ("config.json", "model.weights.h5")


class WithPresets:
    """Methods of a Keras model that read and write presets."""

    @classmethod
    def from_preset(cls, preset):
        """Loads a model with trained weights.

        ```python
        model = tfg.GlowModel.from_preset("photo_patches")
        model.sample(16, temperature=0.7, seed=0)  # int32 [16, 16, 16, 3]
        ```

        | name | images |
        |---|---|
        | `photo_patches` | 16x16 RGB patches of photographs, gamma-encoded |
        | `photo_patches_grey` | 16x16 gray patches of the same photographs |
        | `digits` | 8x8 scans of handwritten digits, 17 gray levels |

        `python -m tfp_glow train --preset=NAME` trains the same model, on the
        data sets `photos`, `photos_grey` and `digits` of `tfg.datasets`.

        Args:
            preset: a name; the path of a folder that `save_to_preset` or
                `save(path, zipped=False)` wrote; or `"hf://user/model"`, a
                model on Hugging Face, which requires `huggingface_hub`. Names
                take precedence; write `"./digits"` for a folder called digits.

        Raises:
            ValueError: before any work for an unknown name or a folder that
                lacks files, and if the preset is a model of another class.
        """
        model = keras.saving.load_model(_find(os.fsdecode(preset)))
        if not isinstance(model, cls):
            expected = f"a preset of {cls.__name__}"
            raise ValueError(
                f"Expected {expected}. Received: preset={preset!r}, which is "
                f"a {type(model).__name__}. Call {type(model).__name__}"
                ".from_preset"
            )
        return model

    def save_to_preset(self, path):
        """Writes a new folder that `from_preset` loads.

        The folder contains the configuration and the weights, but neither the
        optimizer nor its state. If writing fails, no folder remains. Raises
        `FileExistsError` if it exists.
        """
        save(self, path)


def names():
    """Returns the names of the presets of the package, a list of `str`."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/config.json"))


def save(model, path, metrics=None):
    """Does the work of `save_to_preset`, and writes `metrics.json` if given."""
    with _files.new_folder(os.fsdecode(path)) as folder:
        # A copy has no optimizer, which Keras would save too.
        copy = type(model).from_config(model.get_config())
        copy.set_weights(model.get_weights())
        copy.save(folder, zipped=False)
        if metrics is not None:
            text = json.dumps(metrics, indent=2) + "\n"
            pathlib.Path(folder, "metrics.json").write_text(text, "utf-8")


def _find(preset):
    """Returns what Keras should load: a path or an address."""
    if preset.startswith("hf://"):
        return preset
    folder = os.path.expanduser(preset)
    if preset in names():
        folder = WEIGHTS / preset
    if not os.path.isdir(folder):
        expected = (
            f"one of {names()}, the path of an existing folder, or "
            "'hf://user/model'"
        )
        raise _checks.invalid_value("preset", preset, expected, names())
    if missing := [n for n in _FILES if n not in os.listdir(folder)]:
        raise ValueError(
            f"Expected a folder that `save_to_preset` wrote. Received: {folder}"
            f", which lacks {' and '.join(missing)}"
        )
    return folder
