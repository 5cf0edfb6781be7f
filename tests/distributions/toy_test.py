# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.toy`."""

import math

import numpy as np
import pytest
import sklearn.datasets
import tensorflow as tf

import tfp_glow as tfg

NAMES = ("checkerboard", "8gaussians", "moons")


def make(name):
    return tfg.toy.distribution(name, dtype=tf.float64)


@pytest.mark.parametrize("name", NAMES)
def test_density_integrates_to_one_and_its_entropy_is_that_integral(name):
    density = make(name)
    # Midpoints, which no edge of a square meets.
    side = 0.05
    axis = np.arange(-5.0, 5.0, side) + side / 2.0
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    p = density.prob(grid).numpy()
    np.testing.assert_allclose(np.sum(p) * side**2, 1.0, atol=1e-8)
    integrand = -p * np.log(np.maximum(p, 1e-300))
    np.testing.assert_allclose(
        density.entropy(), np.sum(integrand) * side**2, atol=1e-7
    )


@pytest.mark.parametrize("name", NAMES)
def test_entropy_is_the_mean_of_minus_log_prob_of_samples(name):
    density = make(name)
    nats = -density.log_prob(density.sample(20_000, seed=0)).numpy()
    error = np.std(nats) / math.sqrt(len(nats))
    assert abs(np.mean(nats) - density.entropy()) < 4.0 * error + 1e-12


@pytest.mark.parametrize(
    "name, nats",
    [
        ("checkerboard", math.log(32.0)),
        # One normal, and the choice among eight that hardly overlap.
        ("8gaussians", math.log(2.0 * np.pi * np.e / 8.0 * 8.0)),
    ],
)
def test_entropies_are_those_of_the_literature(name, nats):
    assert 0.0 <= nats - make(name).entropy() + 1e-12 < 0.01


def test_checkerboard_has_no_mass_on_white_squares():
    board = make("checkerboard")
    x = board.sample(10_000, seed=0).numpy()
    assert np.all(np.abs(x) <= 4.0)
    column, row = np.floor(x / 2.0).astype(int).T
    assert np.all((column + row) % 2 == 0)
    assert len(set(zip(column, row))) == 8
    centers = np.array([[-3.0, -3.0], [1.0, -1.0], [-3.0, -1.0], [5.0, 5.0]])
    np.testing.assert_allclose(
        board.prob(centers), [1.0 / 32.0, 0.0, 0.0, 0.0], atol=1e-15
    )
    # Near a corner that black squares share.
    corners = np.array([[-1.0, -1.0], [1.0, 1.0], [1.0, -1.0]]) * 1e-6
    assert np.count_nonzero(board.prob(corners)) == 2


def test_eight_gaussians_have_the_moments_of_their_definition():
    x = make("8gaussians").sample(100_000, seed=0).numpy()
    nearest = np.round(np.arctan2(x[:, 1], x[:, 0]) / (np.pi / 4.0)) % 8
    angle = nearest * np.pi / 4.0
    centers = math.sqrt(8.0) * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    np.testing.assert_allclose(np.var(x - centers), 1.0 / 8.0, rtol=0.02)
    counts = np.bincount(nearest.astype(int))
    np.testing.assert_allclose(
        counts / len(x), np.full(8, 1.0 / 8.0), atol=0.005
    )


def test_moons_have_the_density_of_a_continuous_arc():
    x = np.array([[0.1, 1.7], [-3.0, -0.2], [2.9, 0.4], [1.0, -1.4]])
    angle = (np.arange(20_000) + 0.5) * np.pi / 20_000
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    arcs = np.concatenate([upper, [1.0, 0.5] - upper]) * 2.0 - [1.0, 0.2]
    squares = np.sum((x[:, np.newaxis] - arcs) ** 2, axis=-1)
    expected = np.mean(np.exp(-squares / 0.08) / (0.08 * np.pi), axis=1)
    np.testing.assert_allclose(make("moons").prob(x), expected, rtol=1e-7)


def test_moons_are_distributed_as_those_of_scikit_learn():
    theirs, _ = sklearn.datasets.make_moons(100_000, noise=0.1, random_state=0)
    theirs = 2.0 * theirs - [1.0, 0.2]
    moons = make("moons")
    ours = moons.sample(100_000, seed=0)
    np.testing.assert_allclose(
        np.mean(moons.log_prob(theirs)), -moons.entropy(), atol=0.03
    )
    np.testing.assert_allclose(
        np.cov(ours.numpy().T), np.cov(theirs.T), atol=0.06
    )


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_nearly_float64(name):
    density = tfg.toy.distribution(name)
    x = density.sample(100, seed=0)
    assert x.dtype == density.log_prob(x).dtype == tf.float32
    assert density.event_shape == [2]
    np.testing.assert_allclose(
        density.log_prob(x),
        make(name).log_prob(tf.cast(x, tf.float64)),
        atol=1e-3,
    )
    np.testing.assert_allclose(
        density.entropy(), make(name).entropy(), atol=1e-5
    )


@pytest.mark.parametrize(
    "name, nearest",
    [("checker_board", "checkerboard"), ("gaussians", "8gaussians"), (3, "")],
)
def test_an_unknown_name_suggests_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=f"`name`.*{name}.*mean '{nearest}"):
        tfg.toy.distribution(name)
