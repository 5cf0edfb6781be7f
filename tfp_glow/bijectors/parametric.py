# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Parametric: the base class of bijectors of tensors or variables."""

import inspect

import keras
import tensorflow as tf
import tensorflow_probability as tfp
from tensorflow_probability.python.internal import dtype_util
from tensorflow_probability.python.internal import parameter_properties
from tensorflow_probability.python.internal import prefer_static as ps
from tensorflow_probability.python.internal import tensor_util

from tfp_glow import _checks

tfb = tfp.bijectors


class Parametric(tfb.AutoCompositeTensorBijector):
    """A bijector of floating parameters, each a `Tensor` or a `tf.Variable`.

    A subclass lists their names in `MATRICES`, `[..., C, C]`, and `VECTORS`,
    `[..., C]`. They become attributes, of one dtype and with equal last
    dimensions. With `validate_args`, those that are not finite raise
    `tf.errors.InvalidArgumentError` when used.
    """

    MATRICES = ()
    VECTORS = ()

    def __init__(self, parameters, dtype=tf.float32, **kwargs):
        """Makes the bijector from a dictionary of the subclass' arguments.

        If no parameter has a dtype, theirs is `dtype`.
        """
        with tf.name_scope(parameters["name"]) as name:
            names = (*self.MATRICES, *self.VECTORS)
            for key in names:
                # A Keras variable would be frozen, but its value trains.
                if isinstance(parameters[key], keras.Variable):
                    parameters[key] = parameters[key].value
            values = {key: parameters[key] for key in names}
            dtype = dtype_util.common_dtype(list(values.values()), dtype)
            for key, value in values.items():
                tensor = tensor_util.convert_nonref_to_tensor(
                    value, dtype=dtype, name=key
                )
                setattr(self, key, tensor)
            _checks.last_dimensions_agree(**self._tensors())
            super().__init__(
                dtype=dtype,
                validate_args=parameters["validate_args"],
                parameters=parameters,
                name=name,
                **kwargs,
            )

    @classmethod
    def _from_values(cls, values, fixed=(), **kwargs):
        """Makes the bijector with new variables; `fixed` ones do not train."""
        name = inspect.signature(cls).parameters["name"].default
        with tf.name_scope(kwargs.get("name", name)):
            variables = {
                key: tf.Variable(value, trainable=key not in fixed, name=key)
                for key, value in values.items()
            }
            return cls(**variables, **kwargs)

    @classmethod
    def _parameter_properties(cls, dtype):
        properties = parameter_properties.ParameterProperties
        return {
            **dict.fromkeys(cls.MATRICES, properties(2, shape_fn=_square)),
            **dict.fromkeys(cls.VECTORS, properties(1)),
        }

    def _tensors(self):
        """Returns the parameters that are not `None`."""
        names = (*self.MATRICES, *self.VECTORS)
        found = {}
        for name in names:
            if getattr(self, name) is not None:
                found[name] = getattr(self, name)
        return found

    def _parameter_control_dependencies(self, is_init):
        if not self.validate_args:
            return []
        # Constants are checked at construction, and variables at every use.
        return [
            tf.debugging.assert_all_finite(
                tf.convert_to_tensor(value),
                f"Parameter `{name}` is not finite.",
            )
            for name, value in self._tensors().items()
            if is_init != tensor_util.is_ref(value)
        ]


def _square(sample_shape):
    """Returns the shape of matrices that multiply vectors of a shape."""
    return ps.concat([sample_shape, sample_shape[-1:]], axis=0)
