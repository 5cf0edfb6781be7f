# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the classic illusions as stimuli."""

import dataclasses

import numpy as np
import pytest

from tfp_glow.analysis import perception
from tfp_glow.analysis.perception import stimuli

_ALL = pytest.mark.parametrize("name", perception.ILLUSIONS)


def _contrast(stimulus):
    return [stimuli.local_contrast(p) for p in (stimulus.a, stimulus.b)]


@_ALL
def test_targets_are_equal_and_contexts_are_not(name):
    stimulus = perception.ILLUSIONS[name](size=16)
    a, b = stimulus.a, stimulus.b
    np.testing.assert_allclose(a.image[a.mask], b.image[b.mask], atol=1e-12)
    assert a.value == b.value
    assert not np.allclose(a.image, b.image)
    assert a.image.shape[:2] == (16, 16)


@_ALL
def test_controls(name):
    stimulus = perception.ILLUSIONS[name]()
    control = stimulus.without_context()
    np.testing.assert_allclose(control.a.image, control.b.image, atol=1e-12)
    assert control.higher is None
    turned = stimulus.turned()
    np.testing.assert_allclose(turned.a.image, np.rot90(stimulus.a.image))
    assert turned.higher == stimulus.higher


@pytest.mark.parametrize("name", ["contrast", "white", "hermann"])
def test_inverted_exchanges_black_and_white(name):
    stimulus = perception.ILLUSIONS[name]()
    inverted = stimulus.inverted()
    np.testing.assert_allclose(inverted.a.image, 1.0 - stimulus.a.image)
    assert {inverted.higher, stimulus.higher} == {"a", "b"}
    np.testing.assert_allclose(
        _contrast(inverted), -np.array(_contrast(stimulus))
    )


def test_local_contrast_sees_contrast_and_fails_assimilation():
    for name, agrees in [
        ("contrast", True),
        ("hermann", True),
        ("saturation", True),
        ("white", False),
    ]:
        stimulus = perception.ILLUSIONS[name]()
        a, b = _contrast(stimulus)
        predicted = "a" if a > b else "b"
        assert (predicted == stimulus.higher) == agrees, name


def test_local_contrast_of_hues_is_measured_on_the_circle():
    differences = [
        _contrast(perception.ILLUSIONS["hue"](hue=hue)) for hue in (0.0, 0.3)
    ]
    np.testing.assert_allclose(differences, [[-0.1, 0.1]] * 2)


def test_the_ring_of_local_contrast_has_the_width():
    patch = perception.ILLUSIONS["contrast"]().a
    image = np.array(patch.image)
    image[4, 4] = 1.0  # A diagonal neighbor, one of 28.
    patch = dataclasses.replace(patch, image=image)
    expected = 0.5 - (0.2 * 27 + 1.0) / 28
    assert stimuli.local_contrast(patch) == pytest.approx(expected)
    image[3, 3] = 0.6  # Two pixels away: one of 64.
    patch = dataclasses.replace(patch, image=image)
    expected = 0.5 - (0.2 * 62 + 1.0 + 0.6) / 64
    assert stimuli.local_contrast(patch, width=2) == pytest.approx(expected)


def test_the_geometry_of_stripes_checks_and_streets():
    white = perception.ILLUSIONS["white"]().a
    assert np.flatnonzero(white.mask.any(axis=1)).tolist() == [6, 7, 8, 9]
    assert np.flatnonzero(white.mask.any(axis=0)).tolist() == [
        5,
        6,
        7,
        8,
        9,
        10,
    ]
    np.testing.assert_allclose(
        white.image[:, 0, 0],
        np.repeat([0.1, 0.9, 0.1, 0.9, 0.1], [2, 4, 4, 4, 2]),
    )
    board = perception.ILLUSIONS["checkerboard"]().a.image[..., 0]
    assert board[8, 3] == board[8, 12] == board[3, 8] == board[12, 8] == 0.9
    assert board[3, 3] == board[12, 12] == 0.1
    grid = perception.ILLUSIONS["hermann"]()
    crossing, street = (p.image[..., 0] for p in (grid.a, grid.b))
    assert np.all(crossing[6:10] == 0.9) and np.all(crossing[:, 6:10] == 0.9)
    assert np.all(crossing[:6, :6] == 0.1)
    assert np.all(street[6:10] == 0.9) and np.all(street[:6, 2:14] == 0.1)


def test_parameters_change_the_geometry():
    narrow = perception.ILLUSIONS["white"](stripe=2, target_length=10)
    assert narrow.a.mask.sum() == 20
    with pytest.raises(ValueError, match="brightness to invert"):
        perception.ILLUSIONS["hue"]().inverted()
    rgb = perception.ILLUSIONS["contrast"]().with_channels(3)
    assert rgb.a.image.shape == rgb.b.image.shape == (16, 16, 3)
