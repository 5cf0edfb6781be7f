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
    variables. A coupling's network keeps its own dtype: in float64 around
    float32 networks, inputs that agree to float64's precision give the networks
    the same float32 numbers, so the round trip is as exact as if all were
    float64, at nearly the cost of float32.

    Args:
        bijector: `tfb.Bijector` whose constructor takes its `parameters`, as
            all of this package and of TFP do. Its parts are converted too.
        dtype: floating `tf.DType`.
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
