# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`PhotosGrey`: gray crops of the photographs of `photos`."""

from tfp_glow.datasets import photos

PHOTOGRAPHS = {
    **photos.PHOTOGRAPHS,
    "train": (*photos.PHOTOGRAPHS["train"], "camera"),
}


def photograph(name):
    """Returns a photograph of `PHOTOGRAPHS`, a uint8 array [H, W, 1]."""
    import skimage.color
    import skimage.data
    import skimage.util

    if name == "camera":
        return skimage.data.camera()[..., None]
    gray = skimage.color.rgb2gray(photos.photograph(name))
    return skimage.util.img_as_ubyte(gray)[..., None]


class PhotosGrey(photos.Photos):
    """Gray crops of the photographs in scikit-image and scikit-learn.

    As `Photos`, with camera among the photographs for training. The gray levels
    are those of `skimage.color.rgb2gray`, which applies the weights of linear
    Rec. 709 luminance to the gamma-encoded values of red, green and blue.

    Features: `image`, uint8 [size, size, 1], and `photograph`, its name as a
    `ClassLabel`. The configs are `"1x1"` to `"64x64"`, `"32x32"` by default.
    """

    PHOTOGRAPHS = PHOTOGRAPHS
    NUM_CHANNELS = 1
    photograph = staticmethod(photograph)
