# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Percentile ranks of targets, and the comparison of two of them."""

import dataclasses
import functools

import numpy as np

from tfp_glow import _arguments
from tfp_glow.analysis.perception import curves
from tfp_glow.analysis.perception import plots

# Smaller differences of ranks predict nothing.
MIN_DIFFERENCE = 0.02

_suggesting = functools.partial(
    _arguments.suggesting, extends=curves.likelihood_curve
)


@dataclasses.dataclass(frozen=True, eq=False)
class PercentileRank:
    """The percentile rank of a target's value among all values it might have.

    Attributes:
        rank: `float` in [0, 1].
        standard_error: `float`, over noise draws.
        rank_at_1: `float`, the rank at the temperature 1.
        temperature: `float`.
        curve: `LikelihoodCurve`.
    """

    rank: float
    standard_error: float
    rank_at_1: float
    temperature: float
    curve: curves.LikelihoodCurve

    def plot(self):
        """Draws patch, curve and ranks as a Matplotlib `Figure`."""
        return self.curve.plot(self.temperature)

    def to_dict(self):
        """Returns the numbers, as plain values."""
        return numbers(self) | {"curve": self.curve.to_dict()}


@_suggesting
def percentile_rank(model, patch, temperature=None, **curve):
    """Ranks the target's value among all values that it might have.

    A higher rank predicts that the target looks lighter, or more saturated.

    Args:
        model, patch: see `likelihood_curve`.
        temperature: positive `float`, see `LikelihoodCurve`; `None` for D ln 2.
        **curve: more arguments of `likelihood_curve`.

    Returns:
        `PercentileRank`.
    """
    curve = curves.likelihood_curve(model, patch, **curve)
    temperature = curve.temperature(temperature)
    rank, error = curve.rank(temperature=temperature)
    rank_at_1, _ = curve.rank(temperature=1.0)
    return PercentileRank(rank, error, rank_at_1, temperature, curve)


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison:
    """The percentile ranks of a stimulus' two targets.

    Attributes:
        stimulus: `Stimulus`.
        a, b: `PercentileRank`s.
        difference: `float`, the rank of `a` less that of `b`.
        standard_error: `float` of the difference, over noise draws.
        difference_at_1: `float`, at the temperature 1.
        predicted: `"a"` or `"b"`, the target with the higher rank, or `None` if
            they differ by less than `MIN_DIFFERENCE`, or by less than twice the
            standard error.
    """

    stimulus: object
    a: PercentileRank
    b: PercentileRank
    difference: float
    standard_error: float
    difference_at_1: float
    predicted: str | None

    def plot(self):
        """Draws patches, curves and ranks as a Matplotlib `Figure`."""
        return plots.comparison(self)

    def to_dict(self):
        """Returns the numbers, as plain values."""
        return {
            "stimulus": self.stimulus.name,
            "people_see_as_higher": self.stimulus.higher,
            **numbers(self),
            "a": numbers(self.a),
            "b": numbers(self.b),
        }


@_suggesting
def compare(model, stimulus, temperature=None, **curve):
    """Predicts which of a stimulus' targets looks higher.

    Args:
        model: see `likelihood_curve`.
        stimulus: `Stimulus`.
        temperature, **curve: see `percentile_rank`. Both targets have the same
            noise.

    Returns:
        `Comparison`.
    """
    a, b = (
        percentile_rank(model, patch, temperature, **curve)
        for patch in (stimulus.a, stimulus.b)
    )
    return comparison(stimulus, a, b)


def comparison(stimulus, a, b):
    """Returns the `Comparison` of a stimulus from two `PercentileRank`s."""
    draws = [x.curve.rank_draws(None, x.temperature) for x in (a, b)]
    error = curves.standard_error(np.subtract(*draws))
    difference = a.rank - b.rank
    predicted = "a" if difference > 0 else "b"
    if not abs(difference) > max(MIN_DIFFERENCE, 2.0 * np.nan_to_num(error)):
        predicted = None
    return Comparison(
        stimulus,
        a,
        b,
        difference,
        error,
        a.rank_at_1 - b.rank_at_1,
        predicted,
    )


def numbers(result):
    """Returns the fields of a result that are numbers or names."""
    return {
        field.name: getattr(result, field.name)
        for field in dataclasses.fields(result)
        if isinstance(getattr(result, field.name), float | str | None)
    }
