# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Likelihood curves: how likely a patch is as its target varies."""

import dataclasses
import functools
import math

import numpy as np

from tfp_glow import _checks
from tfp_glow.analysis import density as density_
from tfp_glow.analysis.perception import patches
from tfp_glow.analysis.perception import plots
from tfp_glow.distributions import units


@dataclasses.dataclass(frozen=True, eq=False)
class LikelihoodCurve:
    """Log-probabilities of patches that differ in one property of a target.

    ```none
    w[k] = exp(log p(x[k]) / T)
    percentile rank of value[k] = sum{ w[j] : j <= k } / sum{ w[j] }
    ```

    `log p` is the mean over the noise draws. The temperature `T` of 1 makes the
    rank that of the exact conditional distribution given the surround, which
    in images of many pixels is close to 0 or 1. `T = D ln 2`, with `D` the
    number of values of a patch, weighs by `exp(-bits_per_dim)` and is the default
    everywhere.

    Attributes:
        patch: the `Patch`.
        values: array `[K]`, the candidates.
        log_probs: array `[num_draws, K]`, in nats. Every draw has the same
            noise for all candidates.

    References:
        Hirsch and Tal, A statistical story of visual illusions, 2020.
    """

    patch: patches.Patch
    values: np.ndarray
    log_probs: np.ndarray

    @property
    def event_size(self):
        """Number of values of a patch, `D`."""
        return self.patch.image.size

    @functools.cached_property
    def bits_per_dim(self):
        """Bits per dimension of every candidate, array `[K]`."""
        return np.mean(self.bits_per_dim_of_draws, axis=0)

    @property
    def bits_per_dim_of_draws(self):
        """Bits per dimension by single draws, array `[num_draws, K]`."""
        return units.bits_per_dim(self.log_probs, self.event_size)

    def temperature(self, temperature=None):
        """Returns a positive `T`, by default `D ln 2`."""
        if temperature is None:
            return self.event_size * math.log(2.0)
        expected = "a positive number, or None for D ln 2"
        return _checks.number(
            "temperature", temperature, expected, lambda x: 0.0 < x < math.inf
        )

    def ranks(self, temperature=None):
        """Returns the percentile rank of every candidate, array `[K]`."""
        return self._ranks(np.mean(self.log_probs, axis=0), temperature)

    def ranks_of_draws(self, temperature=None):
        """Returns the ranks by single draws of the noise, `[num_draws, K]`."""
        return self._ranks(self.log_probs, temperature)

    def _ranks(self, log_probs, temperature):
        scaled = log_probs / self.temperature(temperature)
        scaled = scaled - np.max(scaled, axis=-1, keepdims=True)
        sums = np.cumsum(np.exp(scaled), axis=-1)
        return sums / sums[..., -1:]

    def rank(self, value=None, temperature=None):
        """Returns the percentile rank of a value and its standard error.

        The default is the target's own value. The error is that of a mean over
        the noise draws, NaN for a single draw.
        """
        [rank] = self._at(value, [self.ranks(temperature)])
        return float(rank), standard_error(self.rank_draws(value, temperature))

    def rank_draws(self, value=None, temperature=None):
        """Returns the rank of a value by single draws, `[num_draws]`."""
        return self._at(value, self.ranks_of_draws(temperature))

    def _at(self, value, ranks):
        low, high = self.patch.limits
        value = _checks.number(
            "value",
            self.patch.value if value is None else value,
            f"a number within the limits, {low} to {high}",
            lambda x: low <= x <= high,
        )
        return np.array([np.interp(value, self.values, r) for r in ranks])

    def plot(self, temperature=None):
        """Draws patch, curve and ranks as a Matplotlib `Figure`."""
        return plots.curve(self, temperature)

    def to_dict(self):
        """Returns the numbers, as plain values."""
        return {
            "property": self.patch.property,
            "value": self.patch.value,
            "num_draws": len(self.log_probs),
            "values": self.values.tolist(),
            "bits_per_dim": self.bits_per_dim.tolist(),
            "ranks": self.ranks().tolist(),
            "ranks_at_temperature_1": self.ranks(1.0).tolist(),
        }


def likelihood_curve(
    model, patch, num_values=256, num_draws=16, noise=0.0, seed=0
):
    """Computes how likely a patch is as one property of its target varies.

    Args:
        model: `FlowModel`, `tfd.Distribution` or `ImageDensity` of images of
            the patch's size. A gray patch is shown to a model of RGB images
            with three equal channels.
        patch: `Patch`.
        num_values: `int` of at least 2, number of candidates.
        num_draws: positive `int`, draws of the noise to average over.
        noise: non-negative `float`, standard deviation in gray levels of 256 of
            normal noise that is added to all pixels, since flat patches are
            unlike any photograph.
        seed: `int`, of the noise.

    Returns:
        `LikelihoodCurve`.

    Raises:
        ValueError: if an argument is invalid or the patch has another size than
            the model's images.
    """
    density = density_.of(model)
    [num_draws] = _checks.positive_integer(num_draws=num_draws)
    [seed] = _checks.integers(0, "a non-negative integer", seed=seed)
    noise = _checks.number("noise", noise)
    patch = patch.with_channels(density.image_shape[2])
    if patch.image.shape != density.image_shape:
        raise ValueError(
            f"Expected a patch of shape {density.image_shape}, that of the "
            f"model's images. Received: {patch.image.shape}. Make the patch or "
            "the stimulus of this size"
        )
    values = patch.values(num_values)
    images = patch.render(values)
    log_probs = []
    for draw in range(num_draws):
        generator = np.random.default_rng([seed, draw])
        shift = generator.normal(size=patch.image.shape) * (noise / 255.0)
        position = generator.random(patch.image.shape, np.float32)
        levels = density.to_levels(images + shift)
        log_probs.append(density.log_prob(levels, position))
    log_probs = np.stack(log_probs)
    # A candidate may be impossible, with a log-probability of minus infinity.
    invalid = np.isnan(log_probs) | np.isposinf(log_probs)
    if invalid.any() or not np.isfinite(log_probs).any(axis=1).all():
        raise FloatingPointError(
            "Expected finite log-probabilities of the patches. Received: "
            f"{np.sum(~np.isfinite(log_probs))} of {log_probs.size} that are "
            "not. Check the model with `log_prob` of its training data"
        )
    return LikelihoodCurve(patch, values, log_probs)


def standard_error(draws):
    """Returns the standard error of a mean, NaN of a single draw."""
    if len(draws) < 2:
        return math.nan
    return float(np.std(draws, ddof=1) / math.sqrt(len(draws)))
