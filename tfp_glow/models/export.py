# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""SavedModels: what a trained flow computes, for use without this package."""

import collections.abc
import inspect
from typing import NamedTuple

import tensorflow as tf

from tfp_glow import _tf
from tfp_glow.bijectors import Glow
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import noise_flow

# Keras' name of the format.
FORMAT = "tf_saved_model"
# The signature that is run if none is named.
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

    Each becomes a method of the object that `tf.saved_model.load` returns, and
    a signature of the same name. A signature has one input or output for each
    part of a nested value, named by its key, by its field, or by its position,
    as `events_0`. The first function is also the default signature.

    Args:
        path: `str`, an empty folder.
        functions: dictionary of names to `Function`s.

    Raises:
        ValueError: if two inputs of a signature have the same name, or a name
            is not an identifier.
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
        # The graph knows all variables, also those in closures.
        graph = traced.get_concrete_function().graph
        variables.update((id(v), v) for v in graph.variables)
    module.weights = list(variables.values())
    tf.saved_model.save(module, path, signatures)


def functions(distribution, spec, conditioning_kwargs, signatures):
    """Returns the functions of a distribution.

    Args:
        distribution: `tfd.Distribution`.
        spec: `event_spec.EventSpec` of its events.
        conditioning_kwargs: callable from conditioning to keyword arguments.
        signatures: dictionary of names to a function of the distribution, the
            inputs and these keyword arguments; a dictionary of names to
            `tf.TensorSpec`s of the inputs; and the name of the output.

    Returns:
        Dictionary of names to `Function`s. If the distribution is conditional,
        the conditioning is the last input.
    """
    flow = self_contained(distribution)
    conditioning = {}
    if spec.is_conditional:
        conditioning["conditioning"] = spec.conditioning_spec

    def made(function, inputs, output):
        def compute(*values):
            given = values[len(inputs) :]
            kwargs = conditioning_kwargs(*given) if given else {}
            return function(flow, *values[: len(inputs)], **kwargs)

        return Function(compute, {**inputs, **conditioning}, output)

    return {name: made(*parts) for name, parts in signatures.items()}


def log_prob(flow, events, **kwargs):
    """Computes log-probabilities, with fixed noise if any is needed."""
    if isinstance(flow, dequantized.Dequantized):
        kwargs["seed"] = _tf.stateless_seed(0)
    return flow.log_prob(events, **kwargs)


def sample(flow, size, seed, **kwargs):
    """Draws events; `seed` is one integer."""
    return flow.sample(size, seed=_tf.stateless_seed(seed), **kwargs)


def self_contained(distribution):
    """Returns the same distribution with a gradient that SavedModels hold.

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
    if isinstance(bijector, Glow):
        return distribution.copy(bijector=bijector.copy(gradient="store"))
    return distribution


def _with_names(compute, names):
    """Returns the function with parameters of these names."""

    def named(*inputs):
        return compute(*inputs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    named.__signature__ = inspect.Signature(
        [inspect.Parameter(name, kind) for name in names]
    )
    return named


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
    """Returns a function with a flat dictionary as its output."""

    def compute(*inputs):
        result = function(*inputs)
        return dict(zip(_names(result, output), tf.nest.flatten(result)))

    return tf.function(
        compute, input_signature=function.input_signature, autograph=False
    )
