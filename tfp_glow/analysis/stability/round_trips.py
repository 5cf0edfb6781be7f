# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Errors of decode(encode(x))."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Errors:
    """Absolute differences, of the values that are finite.

    Attributes:
        mean, median, percentile_99_9, max: `float`, NaN if no value is finite.
        share_not_finite: `float`, share of all values.
    """

    mean: float
    median: float
    percentile_99_9: float
    max: float
    share_not_finite: float

    @classmethod
    def of(cls, differences):
        """Summarizes an array of differences."""
        values = np.abs(np.asarray(differences, np.float64))
        finite = values[np.isfinite(values)]
        share = 1.0 - finite.size / values.size
        if not finite.size:
            return cls(*[float("nan")] * 4, share)
        median, high, largest = np.quantile(finite, [0.5, 0.999, 1.0])
        return cls(*map(float, (finite.mean(), median, high, largest)), share)


def round_trip(flow, x, scale=1.0, num_passes=1, **kwargs):
    """Encodes and decodes values, several times in a row.

    Args:
        flow: `Flow`.
        x: values `[N, ...]`, exact in the flow's dtype.
        scale: `float` that multiplies the differences, for example the number
            of gray levels.
        num_passes: positive `int`.
        **kwargs: keyword arguments of the bijector.

    Returns:
        `scale * (decoded - x)`, float64, after the last pass.
    """
    decoded = x
    for _ in range(num_passes):
        decoded = flow.decode(flow.encode(decoded, **kwargs), **kwargs)
    return scale * (np.asarray(decoded, np.float64) - np.asarray(x, np.float64))


def share_not_finite(found):
    """Returns the largest share in the results of a kind of images."""
    trips = found["round_trip"].values()
    shares = [e["share_not_finite"] for trip in trips for e in trip.values()]
    return max(found["share_not_finite"], *shares)
