# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.whitening`."""

import numpy as np
import pytest

from tests import helpers
from tfp_glow.bijectors import whitening

MATRICES = [lambda x: whitening.whitening_matrix(x)[0], whitening.smooth_first]


def covariance(x):
    return np.cov(np.reshape(x, [-1, x.shape[-1]]).T)


@pytest.mark.parametrize("make", MATRICES)
def test_channels_become_uncorrelated(make):
    mixing = np.eye(6) + 0.2 * helpers.normal([6, 6], seed=1)
    x = 5.0 + helpers.normal([50, 10, 10, 6]) @ mixing
    matrix = make(x)
    y = x @ np.transpose(matrix)
    np.testing.assert_allclose(covariance(y), np.eye(6), atol=0.01)
    # The shrinkage counts as six samples whose covariance is the identity.
    counted = (4999 * covariance(x) + 6 * np.eye(6)) / 5006
    np.testing.assert_allclose(
        matrix @ counted @ np.transpose(matrix), np.eye(6), atol=1e-9
    )


@pytest.mark.parametrize("make", MATRICES)
@pytest.mark.parametrize("num_images", [1, 3, 100])
def test_channels_without_variation_have_a_finite_scale(make, num_images):
    x = np.ones([num_images, 1, 1, 5], np.float32)
    x[..., 1] = x[..., 2] = np.arange(num_images)[:, None, None]
    norm = np.linalg.norm(make(x), ord=2)
    assert norm <= 1.001 * np.sqrt(num_images / 5 + 1)


def test_directions_that_lack_samples_are_not_stretched():
    matrix, _ = whitening.whitening_matrix(helpers.normal([10, 1, 1, 50]))
    assert np.linalg.norm(matrix, ord=2) < 1.1


def test_smooth_channels_come_first():
    wave = np.linspace(0.0, 1.0, 16)
    rising = np.add.outer(wave, 2.0 * wave)
    board = (-1.0) ** np.add.outer(np.arange(16), np.arange(16))
    noise = np.random.default_rng(0).standard_normal([20, 16, 16])
    sources = np.stack(np.broadcast_arrays(3.0 * board, noise, rising), axis=-1)
    x = sources @ helpers.normal([3, 3], seed=1)
    y = x @ np.transpose(whitening.smooth_first(x))
    found = np.corrcoef(
        np.reshape(y, [-1, 3]).T, np.reshape(sources, [-1, 3]).T
    )[:3, 3:]
    expected = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(np.abs(found), expected, atol=0.05)


@pytest.mark.parametrize("axes", [[0, 1, 2], [0, 2, 1]])
def test_slopes_down_and_to_the_right_both_count(axes):
    slope = np.broadcast_to(np.linspace(0.0, 1.0, 8)[:, None], [5, 8, 8])
    noise = np.random.default_rng(0).standard_normal([5, 8, 8])
    x = np.transpose(np.stack([noise, slope], axis=-1), [*axes, 3])
    y = x @ np.transpose(whitening.smooth_first(x))
    first, smooth = (np.reshape(v, [-1]) for v in (y[..., 0], x[..., 1]))
    assert abs(np.corrcoef(first, smooth)[0, 1]) > 0.95


def test_channels_that_hardly_vary_come_last():
    x = helpers.normal([20, 8, 8, 3]) * [1.0, 1e-3, 1.0] + [0.0, 0.0, 5.0]
    matrix = whitening.smooth_first(x).numpy()
    np.testing.assert_allclose(np.abs(matrix[2]), [0.0, 1.0, 0.0], atol=1e-2)
    np.testing.assert_allclose(matrix[:2, 1], 0.0, atol=1e-2)
