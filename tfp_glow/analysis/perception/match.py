# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Matches: the value at which one target has the rank of another."""

import dataclasses
import functools

import numpy as np

from tfp_glow import _arguments
from tfp_glow.analysis.perception import curves
from tfp_glow.analysis.perception import patches
from tfp_glow.analysis.perception import plots
from tfp_glow.analysis.perception import ranks


@dataclasses.dataclass(frozen=True, eq=False)
class Match:
    """The value of target `b` at which its rank equals that of target `a`.

    Attributes:
        a, b: `PercentileRank`s before the change.
        value: `float`, the new value of target `b`.
        standard_error: `float` of the value, over noise draws.
        change_percent: `float`, by how much that is more than the value before.
            For a hue it is the shift in percent of a turn.
    """

    a: ranks.PercentileRank
    b: ranks.PercentileRank
    value: float
    standard_error: float
    change_percent: float

    def adjusted(self, image, mask):
        """Returns an image with the same change in a region of any size."""
        patch = self.b.curve.patch
        image = patches.check_image(image)
        patches.check_mask("mask", np.asarray(mask), image)
        old = patches.measure(image, mask, patch.property)
        change = self.change_percent / 100.0
        new = old + change if patch.property == "hue" else old * (1.0 + change)
        return patches.change(image, mask, patch.property, new)

    def plot(self):
        """Draws patches and ranks as a Matplotlib `Figure`."""
        return plots.match(self)

    def to_dict(self):
        """Returns the numbers, as plain values."""
        return {
            "property": self.b.curve.patch.property,
            "value_a": self.a.curve.patch.value,
            "value_b": self.b.curve.patch.value,
            **ranks.numbers(self),
            "a": ranks.numbers(self.a),
            "b": ranks.numbers(self.b),
        }


@functools.partial(_arguments.suggesting, extends=curves.likelihood_curve)
def match_percentile(model, a, b, temperature=None, **curve):
    """Finds the value of one target that has the rank of another target.

    If ranks predict how targets look, then target `b` with this value looks as
    target `a` does.

    Args:
        model: see `likelihood_curve`.
        a, b: `Patch`es of one property.
        temperature, **curve: see `percentile_rank`. Both targets have the same
            noise.

    Returns:
        `Match`.

    Raises:
        ValueError: if the patches differ in their property, or no value within
            the limits of `b` has the rank of `a`.
    """
    if a.property != b.property:
        raise ValueError(
            "Expected patches of one property. Received: "
            f"{a.property} and {b.property}"
        )
    if b.property != "hue" and b.value == 0.0:
        raise ValueError(
            f"Expected a target b whose {b.property} is above 0, so that it "
            "can change by a percentage. Received: 0"
        )
    a, b = (
        ranks.percentile_rank(model, p, temperature, **curve) for p in (a, b)
    )
    temperature = b.temperature
    reachable = b.curve.ranks(temperature)
    # Ranks that are nearly 0 or 1 do not tell values apart.
    low, high = max(reachable[0], 1e-6), 1.0 - 1e-6
    if not low <= a.rank <= high:
        raise ValueError(
            "Expected a rank of target a that target b can reach, between "
            f"{low:.6g} and {high:.6g}. Received: {a.rank:.6g}, at a "
            f"temperature of {temperature:.6g}. A higher temperature brings "
            "ranks closer together"
        )
    value = float(np.interp(a.rank, reachable, b.curve.values))
    draws = [
        np.interp(rank, reachable, b.curve.values)
        for rank, reachable in zip(
            a.curve.rank_draws(None, temperature),
            b.curve.ranks_of_draws(temperature),
        )
    ]
    old = b.curve.patch.value
    scale = 1.0 if b.curve.patch.property == "hue" else old
    change_percent = 100.0 * (value - old) / scale
    return Match(a, b, value, curves.standard_error(draws), change_percent)
