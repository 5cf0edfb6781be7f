# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of likelihood curves, ranks and matches, where answers are known."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.analysis import density
from tfp_glow.analysis import perception

tfd = tfp.distributions

_SIZE = 8
_DRAWS = dict(num_draws=3, num_values=64)


def _normal(correlation=0.0, scale=0.25, size=_SIZE):
    """Pixels whose correlation falls with their distance, or none."""
    places = np.stack(np.meshgrid(*[np.arange(size)] * 2), -1).reshape([-1, 2])
    distances = np.linalg.norm(places[:, None] - places, axis=-1)
    covariance = scale**2 * np.where(
        distances == 0, 1.0, correlation ** np.maximum(distances, 1e-9)
    )
    normal = tfd.MultivariateNormalTriL(
        np.zeros(size**2), np.linalg.cholesky(covariance)
    )
    reshape = tfp.bijectors.Reshape([size, size, 1], [size**2])
    return density.of(tfd.TransformedDistribution(normal, reshape))


def _contrast():
    return perception.ILLUSIONS["contrast"](_SIZE, target_size=2)


def test_the_rank_at_temperature_1_is_the_conditional_distribution():
    patch = _contrast().a
    curve = perception.likelihood_curve(_normal(), patch, 256, 1)
    # Given the surround, four independent pixels with a common value.
    conditional = tfd.TruncatedNormal(0.0, 0.25 / math.sqrt(4), -0.5, 0.5)
    values = np.array([0.3, 0.5, 0.6], np.float32)
    ranks = [curve.rank(v, temperature=1.0)[0] for v in values]
    expected = conditional.cdf(values * 255 / 256 + 0.5 / 256 - 0.5)
    np.testing.assert_allclose(ranks, expected, atol=0.01)


def test_ranks_weigh_by_bits_per_dimension_by_default():
    curve = perception.likelihood_curve(_normal(0.5), _contrast().a, **_DRAWS)
    weights = np.exp(-curve.bits_per_dim)
    np.testing.assert_allclose(
        curve.ranks(), np.cumsum(weights) / np.sum(weights)
    )
    assert curve.temperature() == _SIZE**2 * math.log(2.0)
    np.testing.assert_allclose(curve.ranks(1e9), (1 + np.arange(64)) / 64)


def test_candidates_share_their_noise_and_draws_do_not():
    patch = _contrast().a
    model = _normal(0.9)
    curve = perception.likelihood_curve(model, patch, noise=4.0, **_DRAWS)
    again = perception.likelihood_curve(model, patch, noise=4.0, **_DRAWS)
    np.testing.assert_array_equal(curve.log_probs, again.log_probs)
    first, second, _ = curve.log_probs
    assert not np.any(first == second)
    # Another draw hardly changes the shape of the curve.
    assert np.std(first - second) < 0.05 * np.std(first)
    other = perception.likelihood_curve(
        model, patch, noise=4.0, seed=1, **_DRAWS
    )
    assert not np.any(curve.log_probs == other.log_probs)


def test_correlated_pixels_see_contrast_and_independent_ones_do_not():
    stimulus = _contrast()
    result = perception.compare(_normal(0.8), stimulus, **_DRAWS)
    assert result.predicted == stimulus.higher == "a"
    assert result.difference > 0.05
    assert result.difference_at_1 > result.difference
    assert result.b.rank < 0.5 < result.a.rank
    turned = perception.compare(_normal(0.8), stimulus.turned(), **_DRAWS)
    assert turned.difference == pytest.approx(result.difference, abs=1e-3)
    inverted = perception.compare(_normal(0.8), stimulus.inverted(), **_DRAWS)
    assert inverted.predicted == inverted.stimulus.higher == "b"
    independent = perception.compare(_normal(), stimulus, **_DRAWS)
    assert independent.difference == pytest.approx(0.0, abs=1e-4)


def test_the_matched_value_has_the_rank():
    stimulus = _contrast()
    model = _normal(0.8)
    match = perception.match_percentile(model, stimulus.a, stimulus.b, **_DRAWS)
    patch = stimulus.b.with_value(match.value)
    after = perception.percentile_rank(model, patch, **_DRAWS)
    assert after.rank == pytest.approx(match.a.rank)
    assert match.value > 0.5
    assert match.change_percent == pytest.approx(200 * (match.value - 0.5))
    # The change of a picture of another size is the same in percent.
    image = np.full([20, 30, 1], 0.4)
    mask = np.zeros([20, 30], bool)
    mask[5:9] = True
    expected = np.where(mask[..., None], 0.4 * match.value / 0.5, 0.4)
    np.testing.assert_allclose(match.adjusted(image, mask), expected)


def test_a_rank_that_cannot_be_reached_is_refused():
    stimulus = _contrast()
    message = r"between .* and .* A higher temperature"
    with pytest.raises(ValueError, match=message):
        perception.match_percentile(
            _normal(0.8), stimulus.a, stimulus.b, 1e-6, **_DRAWS
        )


def test_hue_is_matched_by_a_shift():
    stimulus = perception.ILLUSIONS["hue"](_SIZE, target_size=2)
    normal = tfd.Independent(tfd.Normal(tf.zeros([8, 8, 3]), 0.3), 3)
    match = perception.match_percentile(
        normal, stimulus.a, stimulus.b, **_DRAWS
    )
    assert match.change_percent == pytest.approx(100 * (match.value - 0.3))
    mask = stimulus.b.mask
    adjusted = match.adjusted(stimulus.b.image, mask)
    assert perception.patches.measure(adjusted, mask, "hue") == pytest.approx(
        match.value
    )


def test_gray_patches_are_shown_to_models_of_rgb():
    normal = tfd.Independent(tfd.Normal(tf.zeros([8, 8, 3]), 0.3), 3)
    rank = perception.percentile_rank(normal, _contrast().a, **_DRAWS)
    assert rank.curve.event_size == 8 * 8 * 3


def test_results_are_plain_and_can_be_drawn():
    stimulus = _contrast()
    model = _normal(0.5)
    rank = perception.percentile_rank(model, stimulus.a, **_DRAWS)
    compared = perception.compare(model, stimulus, **_DRAWS)
    match = perception.match_percentile(model, stimulus.a, stimulus.b, **_DRAWS)
    for result in (rank, rank.curve, compared, match):
        assert json.loads(json.dumps(result.to_dict())) == result.to_dict()
        assert len(result.plot().axes) >= 3


def test_impossible_candidates_have_no_weight_and_nan_is_refused():
    patch = _contrast().a

    def uniform(low, high):
        pixels = tfd.Uniform(tf.fill([8, 8, 1], low), high)
        return tfd.Independent(pixels, reinterpreted_batch_ndims=3)

    curve = perception.likelihood_curve(uniform(-0.4, 0.4), patch, **_DRAWS)
    assert curve.ranks()[5] == 0.0 and curve.ranks()[-6] == 1.0
    for model in (uniform(0.3, 0.4), uniform(np.nan, 0.4)):
        with pytest.raises(FloatingPointError, match="finite"):
            perception.likelihood_curve(model, patch, **_DRAWS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(num_values=1), "num_values|num"),
        (dict(num_draws=0), "num_draws"),
        (dict(noise=-1.0), "noise"),
        (dict(seed=-1), "seed"),
        (dict(temperature=0.0), "temperature"),
    ],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        perception.percentile_rank(_normal(), _contrast().a, **arguments)


def test_patches_of_another_size_are_refused():
    patch = perception.ILLUSIONS["contrast"](16).a
    with pytest.raises(ValueError, match=r"\(8, 8, 1\).*\(16, 16, 1\)"):
        perception.percentile_rank(_normal(), patch)


def test_unknown_arguments_suggest_the_nearest():
    with pytest.raises(TypeError, match="num_draws"):
        tfg.perception.percentile_rank(_normal(), _contrast().a, num_draw=2)
