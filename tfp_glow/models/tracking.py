# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Finds the variables and Keras layers of a distribution, for Keras to own.

TFP and `tf.Module` find `tf.Variable`s only. Keras finds its own variables and
layers only. `Tracked` is a Keras layer that owns both kinds.
"""

import collections
import contextlib
import functools
import inspect
import re
import types
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.models import saving

_NUMBERED = re.compile(r"(.+)_(\d+)")


class Parts(NamedTuple):
    """The result of `find`.

    Attributes:
        layers: list of the outermost Keras layers.
        variables: dictionary of stable names to `keras.Variable`s, each once.
            The variables of `layers` are the layers' own.
        is_differentiable: `bool`, whether the density has a gradient with
            respect to any trainable variable.
    """

    layers: list
    variables: dict
    is_differentiable: bool


class Tracked(keras.layers.Layer):
    """The variables and layers of a distribution, as one Keras layer.

    Files hold the variables by their stable names. Loading assigns all of them
    or none.
    """

    def __init__(self, distribution, call=None, specs=(), layers=()):
        """Finds the variables and layers; see `find` for the arguments.

        Raises:
            ValueError: if there are no trainable variables, or the density
                cannot be differentiated with respect to any of them.
        """
        super().__init__(name="distribution", autocast=False, dtype="float32")
        parts = find(distribution, call, specs, layers)
        if not any(v.trainable for v in parts.variables.values()):
            raise ValueError(
                "Expected a distribution with trainable variables, "
                "`tf.Variable`s or those of Keras layers. Received: "
                f"{distribution}"
            )
        if not parts.is_differentiable:
            raise ValueError(
                "Expected a distribution whose `log_prob` can be "
                "differentiated with respect to its variables. Received one "
                f"without any gradient: {distribution}"
            )
        # In a function, because TensorFlow would track the distribution's
        # variables a second time if it were an attribute.
        self._parts = lambda: (distribution, parts)
        owned = {id(v) for layer in parts.layers for v in layer.variables}
        for name, variable in parts.variables.items():
            if id(variable) not in owned:
                self._track_variable(variable)
            # `tf.train.Checkpoint` cannot read Keras' lists.
            self._track_trackable(variable, name)
        # The layers are not an attribute because Keras would then save them a
        # second time, by position.
        self._layers.extend(parts.layers)
        self.initialized = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="initialized",
        )
        self._load_error = None
        self.built = True

    @property
    def distribution(self):
        """The `tfd.Distribution`."""
        return self._parts()[0]

    @property
    def named_variables(self):
        """Dictionary of stable names to the `keras.Variable`s in files."""
        variables = self._parts()[1].variables
        return {**variables, "initialized": self.initialized}

    def save_own_variables(self, store):
        store[saving.KEY] = np.int32(saving.VERSION)
        for name, variable in self.named_variables.items():
            store[name] = variable

    def load_own_variables(self, store):
        """Reads all variables, or none.

        Raises:
            ValueError: if the file has a later format, or holds the variables
                of another distribution.
        """
        # After an error Keras tries again with an empty store, and would report
        # only the second error.
        if not store.keys() and self._load_error is not None:
            raise self._load_error
        variables = self.named_variables
        try:
            values = _read(store, variables)
        except ValueError as error:
            self._load_error = error
            raise
        for name, variable in variables.items():
            variable.assign(values[name])


def _read(store, variables):
    """Returns a dictionary of the values of all variables, or raises."""
    received = set(store.keys())
    if saving.KEY in received:
        received.remove(saving.KEY)
        saving.check_version(int(np.asarray(store[saving.KEY])))
    if received != variables.keys():
        differing = sorted(received ^ variables.keys())
        raise ValueError(
            "The file holds the weights of another distribution. Expected "
            f"{len(variables)} variables. Received: {len(received)}; names "
            f"in only one of them are {', '.join(differing[:5])}"
        )
    values = {name: np.asarray(store[name]) for name in variables}
    for name, variable in variables.items():
        if variable.shape != values[name].shape:
            raise ValueError(
                "The file holds the weights of another distribution. "
                f"Expected `{name}` of shape {variable.shape}. "
                f"Received: {values[name].shape}"
            )
    return values


def find(root, call=None, specs=(), layers=()):
    """Finds the variables and layers that a distribution is made of.

    Args:
        root: `tf.Module`, a distribution.
        call: callable of tensors that evaluates the density, which finds the
            variables that are reachable in no other way. If `None`, everything
            is assumed to be reachable from `root` or in `layers`.
        specs: `tf.TensorSpec`s of the arguments of `call`, possibly nested.
        layers: Keras layers that are parts of the distribution, in addition to
            those that are found.

    Returns:
        `Parts`. The variables are named after themselves, without the numbers
        by which Keras distinguishes the layers of one process, so that their
        names are the same in the next process.
    """
    traced, is_differentiable = [], True
    if call is not None:
        traced, is_differentiable = _trace(call, specs)
    layers = _outermost_layers(root, layers)
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
    return Parts(
        layers,
        {
            name: owners[key] if key in owners else _wrap(variable, name)
            for name, (key, (variable, _)) in zip(names, found.items())
        },
        is_differentiable,
    )


def stable_names(names):
    """Makes names unique and independent of what else a process has made.

    Args:
        names: list of `str`, of `tf.Variable`s.

    Returns:
        List of `str` without `/` and `:`. `dense_5/kernel` and `dense_7/kernel`
        become `dense.kernel` and `dense_1.kernel`. Parts that are counted from
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
    """A sort key by which `a_10` follows `a_9`."""
    return [
        int(part) if part.isdigit() else part
        for part in re.split(r"(\d+)", name)
    ]


def _wrap(variable, name):
    """Makes a Keras variable that shares a `tf.Variable`'s storage."""
    return keras.Variable(
        initializer=variable, trainable=variable.trainable, name=name
    )


def _key(variable):
    """Identifies a variable and its copies on replicas."""
    return id(_whole(variable))


def _whole(variable):
    """Returns the variable that `variable` is a replica's copy of, or itself."""
    if isinstance(variable, tf.distribute.DistributedValues):
        return variable
    # TensorFlow marks the handles of resource variables.
    for marked in (variable, getattr(variable, "handle", None)):
        container = getattr(marked, "_distributed_container", lambda: None)()
        if container is not None:
            return container
    return variable


def _own_variables(layer):
    """Returns a layer's variables without those of its metrics."""
    metrics = {id(v) for metric in layer.metrics for v in metric.variables}
    return [v for v in layer.variables if id(v) not in metrics]


def _trace(call, specs):
    """Returns the variables that a call reads, and whether it has a gradient."""
    # The first call is eager because some of TFP's templates, once made in a
    # graph, cannot be called outside of it.
    zeros = tf.nest.map_structure(
        lambda spec: tf.zeros([1, *spec.shape[1:]], spec.dtype), specs
    )
    # Zero may be outside of the distribution's support.
    with contextlib.suppress(tf.errors.InvalidArgumentError):
        call(*zeros)
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


def _outermost_layers(root, layers):
    """Returns the outermost of some layers and of those reachable from `root`."""
    found, visited, stack = [], set(), [root, *reversed(layers)]
    while stack:
        item = stack.pop()
        if id(item) in visited:
            continue
        visited.add(id(item))
        if isinstance(item, keras.layers.Layer):
            found.append(item)
        else:
            stack.extend(reversed(_children(item)))
    inner = {
        id(part)
        for layer in found
        for part in layer._flatten_layers(include_self=False)
    }
    return [layer for layer in found if id(layer) not in inner]


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
            # The networks of a notebook are globals.
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
