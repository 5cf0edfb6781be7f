# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Everything of a distribution that can be trained, for Keras to own.

TFP and `tf.Module` see `tf.Variable`s alone, Keras sees its own variables and
layers alone. `adopt` finds both kinds, also those that only a closure knows or
that a first call makes, and gives Keras variables that share their storage.
"""

import collections
import contextlib
import functools
import inspect
import re
import types

import keras
import tensorflow as tf

_NUMBERED = re.compile(r"(.+)_(\d+)")


class Adopted:
    """What `adopt` found.

    Attributes:
        root: the distribution, which Keras need not look into any more.
        layers: list of the outermost Keras layers.
        variables: dictionary of names to `keras.Variable`s, each once; those of
            the layers are the layers' own.
        is_differentiable: `bool`, whether the density's gradient with respect
            to any trainable variable exists.
    """

    def __init__(self, root, layers, variables, is_differentiable):
        self.root = root
        self.layers = layers
        self.variables = variables
        self.is_differentiable = is_differentiable

    @property
    def of_no_layer(self):
        """The variables that are not the layers'."""
        owned = {id(v) for layer in self.layers for v in layer.variables}
        return [v for v in self.variables.values() if id(v) not in owned]


def adopt(root, call=None, specs=()):
    """Finds the variables and layers that a distribution is made of.

    Args:
        root: `tf.Module`, a distribution.
        call: callable of tensors that evaluates the density, to find what is
            reachable in no other way; if `None`, what hangs from `root` is
            taken to be all.
        specs: `tf.TensorSpec`s of its arguments, perhaps nested.

    Returns:
        An `Adopted`. Names are the variables' own, less the numbers by which
        Keras tells layers of a process apart, so that they are the same in the
        next process.
    """
    traced, is_differentiable = [], True
    if call is not None:
        traced, is_differentiable = _trace(call, specs)
    layers = _layers(root)
    of_layers = [v for layer in layers for v in _own_variables(layer)]
    owners = {_key(v.value): v for v in of_layers}
    found = {}
    for variable, name in [
        *((v, v.name) for v in root.variables),
        *((v.value, v.path) for v in of_layers),
        *sorted(((v, v.name) for v in traced), key=lambda p: _natural(p[1])),
    ]:
        found.setdefault(_key(variable), (variable, name))
    names = stable_names([name for _, name in found.values()])
    return Adopted(
        root,
        layers,
        {
            name: owners[key] if key in owners else _wrap(variable, name)
            for name, (key, (variable, _)) in zip(names, found.items())
        },
        is_differentiable,
    )


def stable_names(names):
    """Unique names that do not tell how many others a process has made.

    Args:
        names: list of `str`, of `tf.Variable`s.

    Returns:
        List of `str` without `/` and `:`. `dense_5/kernel` and `dense_7/kernel`
        become `dense.kernel` and `dense_1.kernel`; parts that are counted from
        0, as in `level_0` and `level_1`, are kept.
    """
    paths = [tuple(name.split(":")[0].split("/")) for name in names]
    numbers = collections.defaultdict(set)
    for path in paths:
        for i, part in enumerate(path[:-1]):
            stem, number = _split_number(part)
            numbers[path[:i], stem].add(number)
    result, seen = [], set()
    for path in paths:
        parts = []
        for i, part in enumerate(path):
            stem, number = _split_number(part)
            found = numbers.get((path[:i], stem), ())
            if i < len(path) - 1 and 0 not in found and found != {None}:
                order = sorted(found, key=lambda n: -1 if n is None else n)
                rank = order.index(number)
                part = f"{stem}_{rank}" if rank else stem
            parts.append(part)
        stem = name = ".".join(parts)
        count = 1
        while name in seen:
            count += 1
            name = f"{stem}_{count}"
        seen.add(name)
        result.append(name)
    return result


def _split_number(part):
    match = _NUMBERED.fullmatch(part)
    return (match[1], int(match[2])) if match else (part, None)


def _natural(name):
    return [
        int(part) if part.isdigit() else part
        for part in re.split(r"(\d+)", name)
    ]


def _wrap(variable, name):
    """A Keras variable that shares a `tf.Variable`'s storage."""
    return keras.Variable(
        initializer=variable, trainable=variable.trainable, name=name
    )


def _key(variable):
    """What is equal for a variable and its copy on a replica."""
    return id(_whole(variable))


def _whole(variable):
    """The variable of which one is the copy on a replica, or itself."""
    if isinstance(variable, tf.distribute.DistributedValues):
        return variable
    # TensorFlow marks the handles of resource variables.
    for marked in (variable, getattr(variable, "handle", None)):
        container = getattr(marked, "_distributed_container", lambda: None)()
        if container is not None:
            return container
    return variable


def _own_variables(layer):
    """A layer's variables that are no metric's."""
    metrics = {id(v) for metric in layer.metrics for v in metric.variables}
    return [v for v in layer.variables if id(v) not in metrics]


def _trace(call, specs):
    """The variables that a call reads or makes, and if it has a gradient."""
    # First eagerly, since some of TFP's templates, once made in a graph, cannot
    # be called outside of it.
    zeros = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *spec.shape[1:]], spec.dtype), specs
    )
    with contextlib.suppress(tf.errors.InvalidArgumentError):
        call(*zeros)  # Zero may be no event of the distribution.
    connected = []

    @tf.function(autograph=False)
    def evaluate(*arguments):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(call(*arguments))
        gradients = tape.gradient(total, tape.watched_variables())
        connected.append(any(g is not None for g in gradients))
        return total

    graph = evaluate.get_concrete_function(*specs).graph
    return [_whole(v) for v in graph.variables], connected[-1]


def _layers(root):
    """The outermost Keras layers that are reachable from an object."""
    layers, visited, stack = [], set(), [root]
    while stack:
        item = stack.pop()
        if id(item) in visited:
            continue
        visited.add(id(item))
        if isinstance(item, keras.layers.Layer):
            layers.append(item)
        else:
            stack.extend(reversed(_children(item)))
    inner = {
        id(part)
        for layer in layers
        for part in layer._flatten_layers(include_self=False)
    }
    return [layer for layer in layers if id(layer) not in inner]


def _children(item):
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, list | tuple):
        return list(item)
    if isinstance(item, functools.partial):
        return [item.func, *item.args, *item.keywords.values()]
    if isinstance(item, types.MethodType):
        return [item.__self__, item.__func__]
    if isinstance(item, types.FunctionType):
        known = inspect.getclosurevars(item)
        return [
            *known.nonlocals.values(),
            # A notebook's networks are globals.
            *(
                value
                for value in known.globals.values()
                if isinstance(value, keras.layers.Layer | tf.Module)
            ),
            *(item.__defaults__ or ()),
        ]
    if isinstance(item, type | types.ModuleType):
        return []
    if isinstance(item, tf.Module) or callable(item):
        return list(getattr(item, "__dict__", {}).values())
    return []
