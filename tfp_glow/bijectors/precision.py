# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Copies of bijectors that compute in another floating dtype."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

tfb = tfp.bijectors


def astype(bijector, dtype):
    """Returns a bijector that shares the variables but computes in `dtype`.

    Parameters are cast when they are used, so the new bijector follows the
    variables. A coupling's network keeps its own dtype. If that is float32, a
    round trip in float64 is still exact, because both directions hand the
    network the same float32 numbers. It costs little more than one in float32.

    The bijector's constructor must take its `parameters`, as those of this package
    and of TFP do. Parts of the bijector are converted too.
    """

    def cast(value):
        return tf.cast(value, dtype)

    def convert(value):
        if isinstance(value, tfb.Bijector):
            return astype(value, dtype)
        if tf.is_tensor(value) and value.dtype.is_floating:
            return tfp.util.DeferredTensor(value, cast, dtype=dtype)
        if isinstance(value, float | np.floating | np.ndarray):
            value = np.asarray(value)
            if np.issubdtype(value.dtype, np.floating):
                return value.astype(dtype.as_numpy_dtype)
        return value

    parameters = tf.nest.map_structure(convert, bijector.parameters)
    if "dtype" in parameters:
        parameters["dtype"] = dtype
    return type(bijector)(**parameters)
