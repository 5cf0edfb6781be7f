# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `Patch`: targets whose brightness, saturation or hue varies."""

import numpy as np
import pytest

from tfp_glow.analysis import perception
from tfp_glow.analysis.perception import patches


def _mask(shape=(8, 8), rows=slice(3, 5), columns=slice(3, 5)):
    mask = np.zeros(shape, bool)
    mask[rows, columns] = True
    return mask


def _color(shape=(8, 8, 3), seed=0):
    return np.random.default_rng(seed).uniform(0.2, 0.6, shape)


@pytest.mark.parametrize("property", patches.PROPERTIES)
def test_render_changes_the_mean_of_one_property_in_the_target(property):
    image, mask = _color(), _mask()
    patch = perception.Patch(image, mask, None, property)
    np.testing.assert_allclose(patch.image, image, atol=1e-12)
    values = [0.1, 0.15]
    for rendered, value in zip(patch.render(values), values):
        np.testing.assert_array_equal(rendered[~mask], image[~mask])
        measured = {
            name: patches.measure(rendered, mask, name)
            for name in patches.PROPERTIES
        }
        assert measured.pop(property) == pytest.approx(value)
        for name, other in measured.items():
            assert other == pytest.approx(patches.measure(image, mask, name))


def test_texture_keeps_its_contrast():
    image, mask = _color([8, 8, 1]), _mask()
    bright = patches.change(image, mask, "brightness", 0.3)
    ratios = bright[mask] / image[mask]
    np.testing.assert_allclose(ratios, np.full_like(ratios, ratios[0, 0]))


def test_a_target_without_saturation_or_brightness_gets_a_flat_one():
    black = np.zeros([8, 8, 3])
    result = patches.change(black, _mask(), "brightness", 0.5)
    np.testing.assert_allclose(result[_mask()], 0.5)


def test_hues_are_measured_on_the_circle():
    image = np.zeros([8, 8, 3])
    image[..., 0] = 1.0
    image[3, 3:5, 1] = 0.3  # Two pixels of hue 0.05, and two of 0.95.
    image[4, 3:5, 2] = 0.3
    assert patches.measure(image, _mask(), "hue") % 1.0 == pytest.approx(
        0.0, abs=1e-9
    )


def test_the_own_value_of_a_hue_is_in_the_turn_of_the_limits():
    image = np.zeros([8, 8, 3])
    image[..., 0] = 1.0
    patch = perception.Patch(image, _mask(), None, "hue", (0.9, 1.1))
    assert patch.value == pytest.approx(1.0)
    # By default the limits lie around the value.
    patch = perception.Patch(image, _mask(), None, "hue")
    assert (*patch.limits, patch.value) == pytest.approx((-0.5, 0.5, 0.0))


def test_from_image_scales_the_target_to_its_share():
    image, mask = (
        _color([90, 120, 3]),
        _mask((90, 120), slice(39, 51), slice(51, 63)),
    )
    patch = perception.Patch.from_image(image, mask, 16, target_share=0.25)
    assert patch.image.shape == (16, 16, 3)
    np.testing.assert_array_equal(
        patch.mask, _mask((16, 16), slice(6, 10), slice(6, 10))
    )


def test_from_image_cuts_pixels_if_it_does_not_scale():
    image, mask = (
        _color([30, 30, 3]),
        _mask((30, 30), slice(14, 18), slice(9, 13)),
    )
    patch = perception.Patch.from_image(image, mask, 8, target_share=None)
    np.testing.assert_allclose(patch.image, image[12:20, 7:15], atol=1e-12)


def test_gray_becomes_rgb_and_not_the_other_way():
    gray = perception.Patch(np.full([8, 8, 1], 0.4), _mask())
    assert gray.with_channels(1) is gray
    np.testing.assert_array_equal(
        gray.with_channels(3).render([0.7]),
        np.repeat(gray.render([0.7]), 3, -1),
    )
    color = perception.Patch(_color(), _mask(), None, "saturation")
    with pytest.raises(ValueError, match="model of RGB images"):
        color.with_channels(1)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"image": np.zeros([8, 8])}, ValueError, "one channel or three"),
        ({"image": np.zeros([8, 8, 4])}, ValueError, "one channel or three"),
        ({"image": np.zeros([8, 8, 1], int)}, TypeError, "by 255"),
        ({"image": np.full([8, 8, 1], 1.5)}, ValueError, "values from 1.5"),
        ({"image": np.full([8, 8, 1], np.nan)}, ValueError, "from nan"),
        ({"mask": _mask((8, 9))}, ValueError, "the image's size"),
        ({"mask": np.ones([8, 8])}, ValueError, "bool"),
        ({"mask": np.zeros([8, 8], bool)}, ValueError, "an empty mask"),
        ({"mask": np.ones([8, 8], bool)}, ValueError, "the whole image"),
        ({"value": 1.1}, ValueError, "within the limits"),
        ({"property": "saturatoin"}, ValueError, "'saturation'"),
        ({"property": "hue"}, ValueError, "for a gray image"),
        ({"limits": (0.7, 0.2)}, ValueError, "increasing"),
        ({"limits": (0.0, 1.2)}, ValueError, "increasing"),
    ],
)
def test_invalid_patches_are_refused(changes, error, message):
    arguments = {"image": np.full([8, 8, 1], 0.5), "mask": _mask()} | changes
    with pytest.raises(error, match=message):
        perception.Patch(**arguments)


@pytest.mark.parametrize(
    ("mask", "arguments", "message"),
    [
        (_mask((40, 40), slice(0, 4)), {}, "whose border cuts"),
        (_mask((9, 9)), dict(size=16, target_share=None), "image of 9x9"),
        (
            _mask((99, 99), slice(49, 50), slice(2, 97)),
            dict(size=4),
            "a pixel thick",
        ),
        (
            _mask((40, 40), slice(15, 27)),
            dict(size=8, target_share=None),
            "inside",
        ),
        (_mask((40, 40)), dict(target_share=1.0), "target_share"),
    ],
)
def test_targets_that_do_not_fit_are_refused(mask, arguments, message):
    image = np.full([*mask.shape, 1], 0.5)
    with pytest.raises(ValueError, match=message):
        perception.Patch.from_image(image, mask, **{"size": 8, **arguments})
