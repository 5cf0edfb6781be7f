# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of likelihood maps, against distributions with known answers."""

import json
import math

import numpy as np
import pytest
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.analysis import perception
from tfp_glow.analysis.perception import maps

tfd = tfp.distributions
_BITS = 16 * math.log(2.0)  # Of a 4x4 patch with one channel.


def _levels(shape=(20, 21, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape)


def _categorical(channels=1):
    """Independent gray levels, of which the level 7 is impossible."""
    weights = np.arange(1.0, 257.0)
    weights[7] = 0.0
    probs = np.broadcast_to(weights / weights.sum(), [4, 4, channels, 256])
    return tfd.Independent(
        tfd.Categorical(probs=probs.astype(np.float32)), 3
    ), np.log2(weights / weights.sum(), where=weights > 0, out=weights)


def _sums(pixels, size=4):
    view = np.lib.stride_tricks.sliding_window_view(pixels, (size, size))
    return view.sum((-2, -1))


@pytest.mark.parametrize("stride", [1, 3])
def test_a_map_has_the_bits_of_every_patch(stride):
    distribution, log2 = _categorical()
    levels = _levels()
    levels[levels == 7] = 8
    result = perception.likelihood_map(
        distribution, levels / 255.0, stride=stride
    )
    # There are 306 patches at stride 1, so that a batch is incomplete.
    expected = -_sums(log2[levels[..., 0]])[::stride, ::stride] / 16
    np.testing.assert_allclose(result.bits_per_dim, expected, rtol=1e-5)
    assert result.patch_size == (4, 4)
    assert result.non_finite_share == 0.0


def test_overlapping_patches_share_the_noise_of_their_pixels():
    normal = tfg.Dequantized(tfd.Sample(tfd.Normal(0.0, 0.3), [4, 4, 1]), 256)
    levels = _levels([6, 7, 1])
    result = perception.likelihood_map(
        normal, levels / 255.0, num_draws=2, seed=3
    )
    expected = np.zeros([3, 4])
    for draw in range(2):
        noise = np.random.default_rng([3, draw]).random([6, 7, 1], np.float32)
        values = (levels + noise)[..., 0] / 256 - 0.5
        log_probs = tfd.Normal(np.float64(0.0), 0.3).log_prob(values)
        expected -= _sums(log_probs.numpy() - math.log(256)) / _BITS / 2
    np.testing.assert_allclose(result.bits_per_dim, expected, rtol=1e-5)


def test_impossible_patches_are_counted_and_shown():
    distribution, _ = _categorical()
    levels = np.full([12, 12, 1], 100)
    levels[6, 5] = 7
    result = perception.likelihood_map(distribution, levels / 255.0, stride=2)
    assert np.isposinf(result.bits_per_dim).sum() == 4
    assert result.non_finite_share == 4 / 25
    numbers = result.to_dict()
    json.dumps(numbers)
    assert numbers["bits_per_dim"]["max"] < math.inf
    white = np.isclose(result.overlay(), 0.3 * result.image + 0.7)
    assert white.all(-1).sum() == 4 * 2 * 2
    caption = result.plot().get_supxlabel()
    assert caption == "white: not finite, 16 % of the patches"
    with pytest.raises(FloatingPointError, match="none in 1 patches"):
        perception.likelihood_map(distribution, np.full([4, 4, 1], 7 / 255.0))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_overlay_is_at_the_centers_of_patches(stride):
    bits = np.zeros([3, 3])
    bits[1, 2] = 1.0
    image = np.zeros([8 if stride == 1 else 12, 12, 1])
    result = perception.LikelihoodMap(image, bits, (4, 4), stride, 1)
    overlay = result.overlay()
    assert overlay.shape == (*image.shape[:2], 3)
    rows, columns = np.nonzero(overlay.any(-1))
    # The patches' centers are 1.5 pixels after their first ones.
    first = (4 - stride) // 2
    assert (rows.min(), columns.min()) == (first, first)
    assert rows.max() == first + 3 * stride - 1
    rows, columns = np.nonzero(overlay[..., 0] > 0.6)  # Yellow, not purple.
    assert rows.min() == first + stride
    assert columns.min() == first + 2 * stride
    assert columns.size == stride**2


def test_the_plot_names_what_it_shows():
    image = _levels([8, 9, 3]) / 255.0
    bits = _levels([5, 6]) / 255.0
    figure = perception.LikelihoodMap(image, bits, (4, 4), 1, 1).plot()
    photograph, overlay, bar = figure.axes
    assert photograph.get_title() == "photograph"
    assert overlay.get_title() == "4x4 patches, at their centers"
    assert bar.get_ylabel() == "bits per dimension (lower is more likely)"
    figure.canvas.draw()


def test_channels_are_converted_and_said():
    distribution, _ = _categorical(3)
    result = perception.likelihood_map(distribution, np.full([5, 5, 1], 0.5))
    assert result.image.shape == (5, 5, 3)
    [note] = result.to_dict()["notes"]
    assert "three equal channels" in note


def test_progress_is_shown_on_request(capsys):
    distribution, _ = _categorical()
    image = np.full([8, 8, 1], 0.5)
    perception.likelihood_map(distribution, image)
    assert capsys.readouterr().out == ""
    perception.likelihood_map(distribution, image, num_draws=2, progress=True)
    assert "50/50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("image", "arguments", "message"),
    [
        (np.zeros([3, 9, 1]), {}, "4x4 pixels.*Received: 9x3"),
        (np.full([8, 8, 1], np.nan), {}, "values from nan"),
        (np.full([8, 8, 1], 2.0), {}, "values from 2.0"),
        (np.zeros([8, 8, 4]), {}, "one channel or three"),
        (np.zeros([8, 8, 1]), {"stride": 0}, "from 1 to 4"),
        (np.zeros([8, 8, 1]), {"stride": 5}, "from 1 to 4.*stride=5"),
        (np.zeros([8, 8, 1]), {"num_draws": 0}, "num_draws"),
        (np.zeros([8, 8, 1]), {"seed": -1}, "seed"),
    ],
)
def test_bad_input_is_refused(image, arguments, message):
    distribution, _ = _categorical()
    with pytest.raises(ValueError, match=message):
        perception.likelihood_map(distribution, image, **arguments)


def test_batches_are_of_one_size_and_copy_only_themselves():
    array = np.arange(30 * 30).reshape([30, 30, 1])
    places = np.argwhere(np.ones([27, 27]))
    found = np.zeros(len(places), int)
    for part, [patches] in maps.batches([array], places, (4, 4, 1)):
        assert patches.shape == (256, 4, 4, 1)
        found[part] = patches[: part.stop - part.start, 0, 0, 0]
    np.testing.assert_array_equal(found, array[:27, :27].ravel())
