# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""SavedModels: what a trained flow computes, for use without this package."""

import collections.abc
import inspect
import itertools
from typing import NamedTuple

import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.bijectors import glow
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import noise_flow

# Keras' name of the format.
FORMAT = "tf_saved_model"


class Function(NamedTuple):
    """A function to export, `compute(flow, *inputs, **conditioning_kwargs)`.

    `inputs` has their names and `tf.TensorSpec`s, which may be nested. `output`
    is the name of the result.
    """

    compute: collections.abc.Callable
    inputs: dict
    output: str


def write(path, model):
    """Writes the SavedModel that `FlowModel.export` describes.

    The first function is also the default signature. Raises `ValueError` if two
    inputs of a signature have the same name, or a name is not an identifier.
    """
    flow = self_contained(model.distribution)
    module = tf.Module()
    default = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    signatures, variables = {}, {}
    for name, function in model.exported_functions().items():
        inputs = dict(function.inputs)
        if model.is_conditional:
            inputs["conditioning"] = model._spec.conditioning_spec
        traced = tf.function(
            _with_names(function, inputs, flow, model.conditioning_kwargs),
            input_signature=_named_specs(name, inputs),
            autograph=False,
        )
        setattr(module, name, _of_several_dtypes(traced, inputs))
        signatures[name] = _signature(traced, function.output)
        signatures.setdefault(default, signatures[name])
        # The graph knows all variables, also those in closures.
        graph = traced.get_concrete_function().graph
        variables.update((id(v), v) for v in graph.variables)
    module.weights = list(variables.values())
    tf.saved_model.save(module, path, signatures)


def log_prob(flow, events, **kwargs):
    """Computes log-probabilities, with fixed noise if any is needed."""
    if isinstance(flow, dequantized.Dequantized):
        kwargs["seed"] = _tf.stateless_seed(0)
    return flow.log_prob(events, **kwargs)


def sample(flow, size, seed, **kwargs):
    """Draws events; `seed` is one integer."""
    return flow.sample(size, seed=_tf.stateless_seed(seed), **kwargs)


def self_contained(distribution):
    """Returns the distribution with a gradient that SavedModels can hold.

    With `gradient="invert"`, `Glow` computes its gradient in Python. TensorFlow
    saves only first derivatives of such functions and warns about the rest on
    every load.
    """
    if isinstance(distribution, dequantized.Dequantized):
        noise = distribution.dequantizer
        if isinstance(noise, noise_flow.NoiseFlow):
            noise = noise.with_gradient("store")
        return distribution.copy(
            distribution=self_contained(distribution.distribution),
            dequantizer=noise,
        )
    bijector = getattr(distribution, "bijector", None)
    if isinstance(bijector, glow.Glow):
        return distribution.copy(bijector=bijector.copy(gradient="store"))
    return distribution


def _of_several_dtypes(function, inputs):
    """Returns a function that does not cast integers without a check.

    With an input signature, TensorFlow would silently cut floats to integers
    and let large integers overflow.
    """
    specs = function.input_signature
    if any(map(tf.nest.is_nested, specs)) or not any(
        spec.dtype.is_integer and spec.shape.rank for spec in specs
    ):
        return function

    def checked(*values):
        return function(*(_cast(v, s) for v, s in zip(values, specs)))

    checked = tf.function(_named(checked, inputs), autograph=False)
    for dtypes in itertools.product(*(_dtypes(s) for s in specs)):
        checked.get_concrete_function(
            *(tf.TensorSpec(s.shape, d, s.name) for s, d in zip(specs, dtypes))
        )
    return checked


def _dtypes(spec):
    if spec.dtype.is_floating:
        return tf.float32, tf.float64
    return (tf.int32, tf.int64, tf.uint8)[: 3 if spec.shape.rank else 2]


def _cast(value, spec):
    result = tf.cast(value, spec.dtype)
    if value.dtype.is_floating:
        return result
    message = f"Expected `{spec.name}` of integers of at most 32 bits."
    same = tf.debugging.assert_equal(
        tf.cast(result, value.dtype), value, message
    )
    with tf.control_dependencies([same]):
        return tf.identity(result)


def _with_names(function, names, flow, conditioning_kwargs):
    """Returns what a `Function` computes, with parameters of these names."""
    num_inputs = len(function.inputs)

    def compute(*values):
        given = values[num_inputs:]
        kwargs = conditioning_kwargs(*given) if given else {}
        return function.compute(flow, *values[:num_inputs], **kwargs)

    return _named(compute, names)


def _named(function, names):
    """Sets the names of a function's parameters, and returns the function."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    function.__signature__ = inspect.Signature(
        [inspect.Parameter(name, kind) for name in names]
    )
    return function


def _named_specs(function, inputs):
    """Returns `tf.TensorSpec`s with the names of a signature's inputs."""
    names = [
        part for name, spec in inputs.items() for part in _names(spec, name)
    ]
    if len(set(names)) < len(names) or not all(map(str.isidentifier, names)):
        raise ValueError(
            f"Expected inputs of `{function}` with different names, each of "
            "letters, digits and underscores. The parts of nested events are "
            f"named by their keys. Received: {names}"
        )
    specs = list(inputs.values())
    return tf.nest.pack_sequence_as(
        specs,
        [
            tf.TensorSpec(spec.shape, spec.dtype, name)
            for spec, name in zip(tf.nest.flatten(specs), names)
        ],
    )


def _names(structure, name, prefix=""):
    """Names the parts of a value, in the order of `tf.nest.flatten`."""
    if isinstance(structure, collections.abc.Mapping):
        parts = [(key, structure[key]) for key in sorted(structure)]
    elif hasattr(structure, "_fields"):
        parts = zip(structure._fields, structure)
    elif isinstance(structure, list | tuple):
        parts, prefix = enumerate(structure), f"{name}_"
    else:
        return [name]
    return [
        inner
        for key, part in parts
        for inner in _names(part, f"{prefix}{key}", f"{prefix}{key}_")
    ]


def _signature(function, output):
    """Returns a function with a flat dictionary as its output."""

    def compute(*inputs):
        result = function(*inputs)
        return dict(zip(_names(result, output), tf.nest.flatten(result)))

    return tf.function(
        compute, input_signature=function.input_signature, autograph=False
    )
