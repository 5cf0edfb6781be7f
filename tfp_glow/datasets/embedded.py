# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`EmbeddedBuilder`: base class of the TFDS data sets of this package."""

import contextlib
import functools
import io
import uuid

import tensorflow_datasets as tfds
from etils import epath
from tensorflow_datasets.core.utils import tqdm_utils


class EmbeddedBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A TFDS data set that needs no download.

    To add one, write a subclass in a module of its own, as in `digits.py`, and
    add its name to `EMBEDDED` in `sources.py`.
    """

    LEVELS = 256  # Number of gray levels.
    LABEL = "label"  # The feature that holds the class.
    code_path = None  # TFDS need not look for a file of checksums.

    @classmethod
    def config_name(cls, image_size):
        """Returns the config for a pair of `int`, if there are several."""
        return cls.DEFAULT_BUILDER_CONFIG_NAME

    def prepared(self):
        """Prepares the data set quietly and returns a builder that sees it."""
        # Each of several processes writes to a folder of its own, and the first
        # to finish renames it into place. TFDS names such folders by Python's
        # global random generator, which workers seed alike.
        make = functools.partial(type(self), config=self.builder_config)
        scratch = epath.Path(self.data_dir_root) / f"incomplete_{uuid.uuid4()}"
        try:
            if not self.data_path.exists():
                mine = make(data_dir=scratch)
                with _no_output():
                    mine.download_and_prepare()
                self.data_path.parent.mkdir(parents=True, exist_ok=True)
                mine.data_path.rename(self.data_path)
        except OSError:
            # Another process has been faster.
            if not self.data_path.exists():
                raise
        finally:
            scratch.rmtree(missing_ok=True)
        return make(data_dir=self.data_dir_root)


@contextlib.contextmanager
def _no_output():
    was_active = tqdm_utils._active
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.display_progress_bar(was_active)
