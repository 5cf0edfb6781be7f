# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `enhance`, the photograph whose patches are more likely."""

import json

import numpy as np
import pytest
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.analysis import perception

tfd = tfp.distributions


class _Broken(tfg.GlowModel):
    """Decodes values that are not finite for some patches of a batch."""

    broken = np.s_[:0]

    def decode(self, latents):
        images = np.array(super().decode(latents))
        images[self.broken] = np.inf
        return images


@pytest.fixture(scope="module")
def shared():
    result = _Broken([4, 4, 1], num_levels=1, num_steps=2, num_filters=4)
    result.initialize(_levels([64, 4, 4, 1], seed=1))
    return result


@pytest.fixture
def model(shared):
    yield shared
    shared.broken = np.s_[:0]


def _levels(shape, seed=0):
    return np.random.default_rng(seed).integers(60, 200, shape)


def _patch(model, levels, eta):
    z = np.asarray(model.encode(levels[np.newaxis]))
    decoded = np.asarray(model.decode(z - eta * z * np.exp(-(z**2) / 2)))[0]
    return np.clip(decoded, 0, 255)


@pytest.mark.parametrize("eta", [0.6, -0.8])
def test_overlapping_patches_are_averaged(model, eta):
    levels = _levels([4, 5, 1])
    result = perception.enhance(model, levels / 255.0, eta=eta)
    total, count = np.zeros(levels.shape), np.zeros(levels.shape)
    for column in range(2):
        part = np.s_[:, column : column + 4]
        total[part] += _patch(model, levels[part], eta)
        count[part] += 1
    np.testing.assert_allclose(255.0 * result.image, total / count)
    np.testing.assert_allclose(255.0 * result.original, levels)
    change = result.bits_per_dim_after - result.bits_per_dim_before
    assert change * eta < -0.01
    assert result.non_finite_share == result.num_filled == 0
    assert result.to_dict()["mean_change"] == pytest.approx(
        np.mean(np.abs(total / count - levels)) / 255.0
    )


@pytest.mark.parametrize("stride", [1, 3])
def test_the_masked_target_stays_and_its_surround_changes(model, stride):
    image = _levels([10, 11, 1]) / 255.0
    mask = np.zeros([10, 11], bool)
    mask[3:6, 4:7] = True
    image[mask] = 0.5  # The nearest of the model's gray levels is 128.
    result = perception.enhance(model, image, mask, stride=stride)
    np.testing.assert_allclose(result.image[mask], 128 / 255, atol=1e-6)
    assert result.round_trip_error < 1e-6
    assert np.abs(result.image - result.original)[~mask].min() > 0.0
    assert result.num_filled == 0


def test_strides_leave_no_pixels_out(model):
    result = perception.enhance(model, np.full([6, 7, 1], 0.2), stride=4)
    assert np.isfinite(result.image).all()
    assert np.all(result.image != result.original)


def test_values_that_are_not_finite_are_counted_and_left_out(model):
    levels = _levels([4, 5, 1])
    model.broken = np.s_[1:, 2]  # A row of the second patch.
    result = perception.enhance(model, levels / 255.0)
    assert result.non_finite_share == 4 / 32
    # Without the second patch, the last pixel of the row has no value.
    assert result.num_filled == 1
    first = _patch(model, levels[:, :4], 0.6)
    np.testing.assert_allclose(255.0 * result.image[2, :4], first[2])
    np.testing.assert_allclose(255.0 * result.image[2, 4], levels[2, 4])
    assert result.round_trip_error < 1e-6
    caption = result.plot().get_supxlabel()
    assert "12.5 % were not finite" in caption
    assert "1 pixels show the photograph instead" in caption


def test_a_model_that_decodes_nothing_finite_is_an_error(model):
    model.broken = np.s_[:, 2]
    with pytest.raises(FloatingPointError, match="4 pixels without a finite"):
        perception.enhance(model, np.full([4, 4, 1], 0.2))


def test_values_beyond_black_and_white_are_counted(model):
    levels = _levels([4, 4, 1])
    result = perception.enhance(model, levels / 255.0, eta=-9.0)
    extreme = np.isin(result.image, (0.0, 1.0))
    assert 0.0 < result.clipped_share <= np.mean(extreme)


def test_results_are_shown_and_written(model):
    mask = np.zeros([8, 9], bool)
    mask[2:4, 2:4] = True
    result = perception.enhance(model, _levels([8, 9, 1]) / 255.0, mask)
    numbers = json.loads(json.dumps(result.to_dict()))
    assert numbers["eta"] == 0.6
    assert "image" not in numbers
    before, after, change, bar = result.plot().axes
    assert before.get_title().startswith("photograph: ")
    assert after.get_title().startswith("enhanced: ")
    assert change.get_title() == "change, none in the outlined mask"
    assert bar.get_ylabel() == "gray levels of 256"


def test_progress_and_conversions_are_said(model, capsys):
    image = np.full([6, 6, 3], 0.3)
    result = perception.enhance(model, image, stride=2, progress=True)
    assert "4/4" in capsys.readouterr().out
    assert result.image.shape == (6, 6, 1)
    assert result.to_dict()["notes"] == ["converted to gray for the gray model"]


def test_a_distribution_has_no_latent_vectors_to_change():
    normal = tfd.Sample(tfd.Normal(0.0, 0.3), [4, 4, 1])
    with pytest.raises(TypeError, match=r"`encode` and `decode`.*Sample"):
        perception.enhance(normal, np.zeros([4, 4, 1]))


@pytest.mark.parametrize(
    ("image", "arguments", "message"),
    [
        (np.zeros([3, 9, 1]), {}, "4x4 pixels.*Received: 9x3"),
        (np.full([8, 8, 1], np.nan), {}, "values from nan"),
        (np.zeros([8, 8, 1]), {"stride": 5}, "from 1 to 4.*stride=5"),
        (np.zeros([8, 8, 1]), {"eta": np.inf}, "eta"),
        (np.zeros([8, 8, 1]), {"mask": np.zeros([8, 8], bool)}, "empty"),
        (np.zeros([8, 8, 1]), {"mask": np.ones([8, 8], bool)}, "whole"),
        (np.zeros([8, 8, 1]), {"mask": np.ones([8, 9], bool)}, "size"),
        (np.zeros([8, 8, 1]), {"mask": np.ones([8, 8])}, "bool"),
    ],
)
def test_bad_input_is_refused(model, image, arguments, message):
    with pytest.raises(ValueError, match=message):
        perception.enhance(model, image, **arguments)
