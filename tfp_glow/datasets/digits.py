# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`Digits`: the handwritten digits that ship with scikit-learn."""

import numpy as np
import tensorflow_datasets as tfds

from tfp_glow.datasets import embedded
from tfp_glow.datasets import files

_CITATION = """\
@misc{alpaydin1998optical,
  title = {Optical Recognition of Handwritten Digits},
  author = {Alpaydin, E. and Kaynak, C.},
  year = {1998},
  howpublished = {UCI Machine Learning Repository},
}
"""


class Digits(embedded.EmbeddedBuilder):
    """1,797 scans of handwritten digits, which ship with scikit-learn.

    8x8 pixels with 17 gray levels, 0 (paper) to 16 (ink), stored as they are.
    About 70 % of each digit are for training, 15 % for validation and 15 % for
    testing, by a fixed permutation.

    Features: `image`, uint8 [8, 8, 1], and `label`, the digit.
    """

    VERSION = tfds.core.Version("1.0.0")
    LEVELS = 17

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(8, 8, 1)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            citation=_CITATION,
        )

    def _split_generators(self, dl_manager):
        import sklearn.datasets

        digits = sklearn.datasets.load_digits()
        images = digits.images.astype(np.uint8)[..., np.newaxis]
        # `RandomState` has a stream that NumPy promises never to change.
        order = np.random.RandomState(0).permutation(len(images))
        order = order[np.argsort(digits.target[order], kind="stable")]
        # Neighbors in `order` show the same digit. Every 20 in a row give 14
        # for training, 3 for validation and 3 for testing.
        part = np.digitize(np.arange(len(order)) % 20, [14, 17])
        return {
            s: self._generate_examples(images, digits.target, order[part == i])
            for i, s in enumerate(files.SPLITS)
        }

    def _generate_examples(self, images, labels, indices):
        for i in indices:
            yield int(i), {"image": images[i], "label": int(labels[i])}
