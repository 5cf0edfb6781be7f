# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""SavedModels: what a trained flow computes, for TensorFlow alone."""

import collections.abc
import inspect
from typing import NamedTuple

import tensorflow as tf

from tfp_glow.bijectors import Glow
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import noise_flow

# As Keras names it.
FORMAT = "tf_saved_model"
# What runs a signature without being told its name takes this one.
_DEFAULT_SIGNATURE = "serving_default"


class Function(NamedTuple):
    """A function to export.

    Attributes:
        compute: callable of tensors, one for every input, in their order.
        inputs: dictionary of names to `tf.TensorSpec`s, perhaps nested.
        output: `str`, the name of what it returns.
    """

    compute: collections.abc.Callable
    inputs: dict
    output: str


def write(path, functions):
    """Writes functions and the variables that they read as a SavedModel.

    Each becomes a method of what `tf.saved_model.load` returns, and a signature
    of the same name. A signature has an input and an output for each part of
    what is nested, named by its key, by its field, or as `events_0` by its
    position. The first is the default signature too.

    Args:
        path: `str`, an empty folder.
        functions: dictionary of names to `Function`s.

    Raises:
        ValueError: if two inputs of a signature have the same name, or one has
            a name that TensorFlow does not take.
    """
    module = tf.Module()
    signatures, variables = {}, {}
    for name, function in functions.items():
        traced = tf.function(
            _with_names(function.compute, function.inputs),
            input_signature=_named_specs(name, function.inputs),
            autograph=False,
        )
        setattr(module, name, traced)
        signatures[name] = _signature(traced, function.output)
        signatures.setdefault(_DEFAULT_SIGNATURE, signatures[name])
        # All that it reads, also what only closures know.
        graph = traced.get_concrete_function().graph
        variables.update((id(v), v) for v in graph.variables)
    module.weights = list(variables.values())
    tf.saved_model.save(module, path, signatures)


def self_contained(distribution):
    """A distribution of the same numbers, whose gradients are in its graph.

    Those of a `Glow` that recovers what it did not store are computed by Python
    functions. Of these TensorFlow saves the first derivatives alone, and warns
    of the others whenever such a file is loaded.
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
    if isinstance(bijector, Glow):
        return distribution.copy(bijector=bijector.copy(gradient="store"))
    return distribution


def _with_names(compute, names):
    """The function with parameters of these names."""

    def named(*inputs):
        return compute(*inputs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature(
        [inspect.Parameter(name, kind) for name in names]
    )
    return named


def _named_specs(function, inputs):
    """The specifications of inputs, with the names of a signature's inputs."""
    names = [
        part for name, spec in inputs.items() for part in _names(spec, name)
    ]
    if len(set(names)) < len(names) or not all(map(str.isidentifier, names)):
        raise ValueError(
            f"Expected inputs of `{function}` with different names, each of "
            "letters, digits and underscores; those of nested events are their "
            f"keys. Received: {names}"
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
    """Names of the parts of a value, in the order of `tf.nest.flatten`."""
    if isinstance(structure, collections.abc.Mapping):
        parts = [
            (f"{prefix}{key}", structure[key]) for key in sorted(structure)
        ]
    elif hasattr(structure, "_fields"):
        parts = [
            (f"{prefix}{field}", getattr(structure, field))
            for field in structure._fields
        ]
    elif isinstance(structure, list | tuple):
        parts = [(f"{name}_{i}", part) for i, part in enumerate(structure)]
    else:
        return [name]
    return [
        inner
        for outer, part in parts
        for inner in _names(part, outer, f"{outer}_")
    ]


def _signature(function, output):
    """A function as signatures have to be, of a flat dictionary."""

    def compute(*inputs):
        result = function(*inputs)
        return dict(zip(_names(result, output), tf.nest.flatten(result)))

    return tf.function(
        compute, input_signature=function.input_signature, autograph=False
    )
