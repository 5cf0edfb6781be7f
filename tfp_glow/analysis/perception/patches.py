# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Patch`: patches of an image in which one property of a target varies."""

import dataclasses

import numpy as np
import skimage.color
import skimage.transform

from tfp_glow import _checks

# The channel of HSV that holds a property.
PROPERTIES = {"hue": 0, "saturation": 1, "brightness": 2}


@dataclasses.dataclass(frozen=True, eq=False)
class Patch:
    """Patches that are equal but for one property of a target.

    `render` sets the mean of the property over the target. Brightness and
    saturation are multiplied by a factor, so that texture keeps its contrast,
    and clipped at 1; hue is shifted. All are those of HSV, computed from
    gamma-encoded values, as the images in files are.

    Example:

    ```python
    image = np.full([16, 16, 1], 0.2)
    mask = np.zeros([16, 16], bool)
    mask[5:11, 5:11] = True
    patch = tfg.perception.Patch(image, mask, value=0.5)
    patch.render(patch.values(256))  # [256, 16, 16, 1]
    ```

    Attributes:
        image: array `[H, W, C]` in `[0, 1]`, `C` one or three.
        mask: `bool` `[H, W]`, true in the target.
        value: `float`, the target's own value; `None` to measure it. Hues are
            in turns: red is 0 and 1.
        property: `"brightness"`, or `"saturation"` or `"hue"` of RGB images.
        limits: pair of `float`, the lowest and the highest value to compare
            with; `None` for 0 and 1, or for hues half a turn to each side. Only
            limits of a hue may lie outside `[0, 1]`.
    """

    image: np.ndarray
    mask: np.ndarray
    value: float | None = None
    property: str = "brightness"
    limits: tuple | None = None

    def __post_init__(self):
        image, mask = check_image(self.image), np.asarray(self.mask)
        check_mask("mask", mask, image)
        _check_property(self.property, image)
        value, limits = self.value, self.limits
        is_hue = self.property == "hue"
        if value is None:
            value = measure(image, mask, self.property)
            if is_hue and limits is not None:
                # The turn that the limits are about.
                value += np.round(np.mean(limits) - value)
        if limits is None:
            limits = (0.0, 1.0)
            if is_hue:
                limits = (value - 0.5, value + 0.5)
        low, high = (float(limit) for limit in limits)
        if not (low < high and (is_hue or 0.0 <= low < high <= 1.0)):
            expected = "two increasing numbers in [0, 1]"
            raise _checks.invalid_value("limits", limits, expected)
        value = _checks.number(
            "value",
            value,
            f"a number within the limits, {low} to {high}",
            lambda x: low <= x <= high,
        )
        image = change(image, mask, self.property, value)
        for name, new in [
            ("image", image),
            ("mask", mask),
            ("value", value),
            ("limits", (low, high)),
        ]:
            object.__setattr__(self, name, new)

    @classmethod
    def from_image(
        cls,
        image,
        mask,
        size,
        property="brightness",
        target_share=1 / 3,
        limits=None,
    ):
        """Cuts a patch around the masked region of an image of any size.

        Args:
            image: array `[H, W, C]` in `[0, 1]`.
            mask: `bool` `[H, W]`, true in the target.
            size: `int`, side of the patch in pixels, that of the model.
            property, limits: see the attributes.
            target_share: `float` in (0, 1). The image is scaled so that the
                longer side of the target is this share of the patch. `None` to
                keep the scale.

        Raises:
            ValueError: if the patch would leave the image, or if nothing is
                left of the target when it is scaled.
        """
        image, mask = check_image(image), np.asarray(mask)
        check_mask("mask", mask, image)
        _check_property(property, image)
        [size] = _checks.positive_integer(size=size)
        scale = 1.0
        if target_share is not None:
            target_share = _checks.number(
                "target_share",
                target_share,
                "a number in (0, 1), or None",
                lambda x: 0.0 < x < 1.0,
            )
            extent = np.ptp(np.argwhere(mask), axis=0) + 1
            scale = target_share * size / max(extent)
        if scale != 1.0:
            shape = tuple(max(1, round(n * scale)) for n in mask.shape)
            # It averages over areas, so that edges stay where they are.
            resize = skimage.transform.resize_local_mean
            image = np.clip(resize(image, shape, channel_axis=-1), 0.0, 1.0)
            mask = resize(mask.astype(float), shape) >= 0.5
            if not mask.any():
                raise ValueError(
                    "Expected a target that is at least a pixel thick after "
                    f"the image is scaled by {scale:.3g}. Received: a thinner "
                    "one. Raise `target_share`"
                )
        points = np.argwhere(mask)
        center = (points.min(axis=0) + points.max(axis=0) + 1) / 2.0
        start = np.round(center - size / 2.0).astype(int)
        end = start + size
        if np.any(start < 0) or np.any(end > mask.shape):
            raise ValueError(
                f"Expected a target with a surround that fills {size}x{size} "
                f"pixels. Received: an image of {mask.shape[0]}x"
                f"{mask.shape[1]}, scaled by {scale:.3g}, whose border cuts "
                f"rows {start[0]} to {end[0] - 1} or columns {start[1]} to "
                f"{end[1] - 1}. Raise `target_share` for a smaller surround, "
                "or use a target farther from the border"
            )
        cut = tuple(slice(*pair) for pair in zip(start, end))
        if mask.sum() != mask[cut].sum():
            raise ValueError(
                f"Expected a target inside the {size}x{size} patch. Received: "
                f"one of {mask.sum()} pixels, of which {mask[cut].sum()} are "
                "inside. Lower `target_share`"
            )
        return cls(image[cut], mask[cut], None, property, limits)

    def values(self, num=256):
        """Returns `num` equally spaced values between the limits."""
        [num] = _checks.integers(2, "an integer of at least 2", num=num)
        return np.linspace(*self.limits, num)

    def render(self, values):
        """Returns the patches whose targets have the values: `[K, H, W, C]`."""
        return np.stack(
            [change(self.image, self.mask, self.property, v) for v in values]
        )

    def with_value(self, value):
        """Returns the patch whose target has another own value."""
        return dataclasses.replace(self, value=value)

    def map(self, function):
        """Returns the patch with `function` applied to image and mask."""
        changes = {"image": function(self.image), "mask": function(self.mask)}
        return dataclasses.replace(self, **changes)

    def with_channels(self, num_channels):
        """Returns the patch in RGB, if it is gray and three are asked for."""
        if num_channels == self.image.shape[2]:
            return self
        if num_channels != 3:
            raise ValueError(
                f"Expected a model of RGB images for the {self.property} of "
                "RGB patches. Received: a model of images with "
                f"{num_channels} channels"
            )
        image = np.repeat(self.image, 3, axis=-1)
        return dataclasses.replace(self, image=image)


def measure(image, mask, property):
    """Returns the mean of a property over a region, for hues on the circle."""
    values = _region_hsv(image, mask)[:, PROPERTIES[property]]
    if property != "hue":
        return float(np.mean(values))
    mean = np.mean(np.exp(2j * np.pi * values))
    return float(np.angle(mean) / (2.0 * np.pi) % 1.0)


def change(image, mask, property, value):
    """Returns a copy of an image whose region has another mean, see `Patch`."""
    hsv = _region_hsv(image, mask)
    channel = hsv[:, PROPERTIES[property]]
    old = measure(image, mask, property)
    if property == "hue":
        channel[:] = (channel + value - old) % 1.0
    elif old > 0.0:
        channel[:] = np.clip(channel * (value / old), 0.0, 1.0)
    else:
        channel[:] = value
    result = np.array(image, float)
    if image.shape[2] == 1:
        result[mask] = channel[:, np.newaxis]
    else:
        result[mask] = skimage.color.hsv2rgb(hsv)
    return result


def _region_hsv(image, mask):
    """Returns HSV values `[N, 3]` of a region; gray has no saturation."""
    region = np.asarray(image, float)[mask]
    if region.shape[1] == 1:
        return np.concatenate([np.zeros([len(region), 2]), region], axis=1)
    return skimage.color.rgb2hsv(region)


def check_image(image):
    """Returns an image as floats `[H, W, C]` in [0, 1], or raises."""
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise ValueError(
            "Expected an image [H, W, C] of one channel or three. Received: "
            f"shape {image.shape}"
        )
    if image.dtype.kind != "f":
        raise TypeError(
            "Expected an image of floats in [0, 1]. Received: "
            f"{image.dtype}. Divide gray levels by 255"
        )
    low, high = image.min(), image.max()
    if not (low >= 0.0 and high <= 1.0):  # NaN fails too.
        raise ValueError(
            "Expected an image of values in [0, 1]. Received: values from "
            f"{low} to {high}"
        )
    return image.astype(float)


def check_mask(name, mask, image):
    """Raises unless a mask is a part of an image that leaves a surround."""
    if mask.dtype != bool or mask.shape != image.shape[:2]:
        expected = f"bool, of the image's size {image.shape[:2]}"
        received = f"{mask.dtype}, of shape {mask.shape}"
    elif not mask.any():
        expected, received = "true somewhere", "an empty mask"
    elif mask.all():
        expected, received = "false somewhere", "a mask of the whole image"
    else:
        return
    raise ValueError(
        f"Expected `{name}` to be {expected}. Received: {received}"
    )


def _check_property(property, image):
    _checks.choice("property", property, PROPERTIES)
    if property != "brightness" and image.shape[2] == 1:
        expected = "'brightness' for a gray image"
        raise _checks.invalid_value("property", property, expected)
