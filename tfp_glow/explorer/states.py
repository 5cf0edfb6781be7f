# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`State`: all that the page draws, sent to and fro as JSON."""

import base64
import dataclasses

import numpy as np

from tfp_glow import _checks
from tfp_glow.explorer import uploads

_MAX_TEMPERATURE = 10.0
_MAX_STRENGTH = 100.0


@dataclasses.dataclass(frozen=True, eq=False)
class State:
    """The latents of a picture, and what changes them before they are decoded.

    Attributes:
        latent: float64 `[D]`; in JSON its bytes, little-endian, in base64.
        temperature: list of `float`, factors of the levels' latents, the finest
            first.
        label: class, list of the weights of all classes, or `None`.
        strengths: dictionary from names of sliders to `float`.
    """

    latent: np.ndarray
    temperature: list
    label: int | list | None
    strengths: dict

    def to_dict(self):
        """Returns the state as values that JSON can hold."""
        data = np.asarray(self.latent, "<f8").tobytes()
        return {**vars(self), "latent": base64.b64encode(data).decode()}


def read(name, value, model, sliders):
    """Returns a `State` from a dictionary that a page sent.

    Args:
        name: `str`, of the value in the request.
        value: the dictionary, unchecked.
        model: `GlowModel`.
        sliders: dictionary from names to `Slider`.

    Raises:
        ValueError: if the state does not fit the model.
    """
    if not isinstance(value, dict):
        expected = "a state, a dictionary"
        raise _checks.invalid_value(name, type(value).__name__, expected)
    latent = uploads.from_base64("latent", value.get("latent"))
    if len(latent) != 8 * model.event_size:
        raise ValueError(
            f"Expected a latent of {model.event_size} float64 numbers. "
            f"Received: {len(latent)} bytes"
        )
    latent = np.frombuffer(latent, "<f8")
    if not np.all(np.isfinite(latent)):
        raise ValueError(
            "Expected a latent of finite numbers. Received: others"
        )
    temperature, strengths = value.get("temperature"), value.get("strengths")
    num_levels = model.glow.num_levels
    if not isinstance(temperature, list) or len(temperature) != num_levels:
        expected = f"a list of {num_levels} numbers, one for each level"
        raise _checks.invalid_value("temperature", temperature, expected)
    if not isinstance(strengths, dict):
        raise _checks.invalid_value("strengths", strengths, "a dictionary")
    for slider in strengths:
        _checks.choice("strengths", slider, sliders)
    return State(
        latent,
        [
            _number("temperature", value, 0.0, _MAX_TEMPERATURE)
            for value in temperature
        ],
        checked_label(value.get("label"), model.num_classes),
        {
            slider: _number(
                sliders[slider].title, strength, -_MAX_STRENGTH, _MAX_STRENGTH
            )
            for slider, strength in strengths.items()
        },
    )


def checked_label(label, num_classes):
    """Returns a class, weights of the classes or `None`, if it is valid."""
    if num_classes is None:
        if label is not None:
            expected = "null, since the model has no classes"
            raise _checks.invalid_value("label", label, expected)
        return None
    if isinstance(label, list) and len(label) == num_classes:
        return [_number("label", weight, 0.0, 1.0) for weight in label]
    expected = f"an integer in [0, {num_classes})"
    [label] = _checks.integers(0, expected, label=label)
    if label >= num_classes:
        raise _checks.invalid_value("label", label, expected)
    return label


def _number(name, value, low, high):
    expected = f"a number from {low:g} to {high:g}"
    return _checks.number(name, value, expected, lambda x: low <= x <= high)
