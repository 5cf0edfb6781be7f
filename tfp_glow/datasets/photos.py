# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Photos`: crops of the photographs in scikit-image and scikit-learn."""

import io

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfp_glow import _checks
from tfp_glow.datasets import embedded

PHOTOGRAPHS = {
    "train": ("astronaut", "coffee", "motorcycle_left", "china"),
    "validation": ("flower",),
    "test": ("chelsea", "rocket"),
}
MAX_SIZE = 64
_NUM_CROPS = {"train": 20_000, "validation": 1_000, "test": 1_000}


def photograph(name):
    """Returns a photograph of `PHOTOGRAPHS`, a uint8 array [H, W, 3]."""
    if name in ("china", "flower"):
        import sklearn.datasets

        return sklearn.datasets.load_sample_image(f"{name}.jpg")
    import skimage.data

    if name == "motorcycle_left":
        return skimage.data.stereo_motorcycle()[0]
    return getattr(skimage.data, name)()


class PhotosConfig(tfds.core.BuilderConfig):
    """Configuration of `Photos`: the side length of the crops, in pixels."""

    def __init__(self, size):
        name = f"{size}x{size}"
        super().__init__(name=name, description=f"Crops of {name} pixels.")
        self.size = size


class Photos(embedded.EmbeddedBuilder):
    """Crops of the color photographs in scikit-image and scikit-learn.

    No photograph is shared between splits: astronaut, coffee, the left view of
    motorcycle, and china are for training (20,000 crops), flower for validation
    (1,000), chelsea and rocket for testing (1,000).

    Crops are square, lie at uniformly random positions, drawn once with a fixed
    seed, and may overlap. A training photograph has a share of the crops
    proportional to its area; the photographs of the other splits have equal
    shares. Values are gamma-encoded (sRGB), as in the files.

    Features: `image`, uint8 [size, size, 3], and `photograph`, its name as a
    `ClassLabel`. The configs are `"1x1"` to `"64x64"`, `"32x32"` by default.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = tuple(map(PhotosConfig, range(1, MAX_SIZE + 1)))
    DEFAULT_BUILDER_CONFIG_NAME = "32x32"
    LABEL = "photograph"
    PHOTOGRAPHS = PHOTOGRAPHS
    NUM_CHANNELS = 3
    photograph = staticmethod(photograph)

    @classmethod
    def config_name(cls, image_size):
        size = max(image_size)
        if size > MAX_SIZE:
            expected = (
                f"sizes up to {MAX_SIZE} for {cls.name!r}, such as 16 or 32"
            )
            raise _checks.invalid_value("image_size", image_size, expected)
        return PhotosConfig(size).name

    def _info(self):
        size = self.builder_config.size
        shape = (size, size, self.NUM_CHANNELS)
        names = [name for names in self.PHOTOGRAPHS.values() for name in names]
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=shape),
                    "photograph": tfds.features.ClassLabel(names=names),
                }
            ),
            supervised_keys=("image", "photograph"),
            homepage="https://scikit-image.org/docs/stable/api/skimage.data",
        )

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(split) for split in self.PHOTOGRAPHS
        }

    def _generate_examples(self, split):
        size = self.builder_config.size
        # `RandomState` has a stream that NumPy promises never to change.
        random = np.random.RandomState(sorted(self.PHOTOGRAPHS).index(split))
        images = {
            name: self.photograph(name) for name in self.PHOTOGRAPHS[split]
        }
        areas = [image[..., 0].size for image in images.values()]
        shares = areas if split == "train" else np.ones(len(areas))
        ends = np.cumsum(shares) / np.sum(shares) * _NUM_CROPS[split]
        counts = np.diff(np.round(ends).astype(int), prepend=0)
        for (name, image), count in zip(images.items(), counts):
            height, width, _ = image.shape
            tops = random.randint(height - size + 1, size=count)
            lefts = random.randint(width - size + 1, size=count)
            for i, (top, left) in enumerate(zip(tops, lefts)):
                crop = image[top : top + size, left : left + size]
                # Encoding here is several times faster than TFDS's own.
                png = io.BytesIO(tf.io.encode_png(crop, compression=1).numpy())
                yield f"{name}_{i}", {"image": png, "photograph": name}
