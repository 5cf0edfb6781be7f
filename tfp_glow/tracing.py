# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Programs that TensorFlow traces once for each object, for any batch size."""

import tensorflow as tf


def compiled(function):
    """A `tf.function` that is traced as rarely as may be, without AutoGraph.

    TensorFlow warns when one line of code makes programs again and again, as in
    a loop over data. Here that only means that there are many flows, each of
    which traces its own program once, so the warning is left out.

    Args:
        function: callable of `Tensor`s.

    Returns:
        `tf.types.experimental.PolymorphicFunction`.
    """
    traced = tf.function(function, reduce_retracing=True, autograph=False)
    traced._omit_frequent_tracing_warning = True
    return traced
