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
import warnings

import keras
import numpy as np
import tensorflow as tf

from tfp_glow.bijectors import initialization
from tfp_glow.models import saving

_NUMBERED = re.compile(r"(.+)_(\d+)")


class Tracked(keras.layers.Layer):
    """The variables and layers of a distribution, as one Keras layer.

    Files hold the variables by their stable names. Loading assigns all of them
    or none.
    """

    def __init__(self, distribution, call=None, specs=(), layers=()):
        super().__init__(name="distribution", autocast=False, dtype="float32")
        layers, variables = find(distribution, call, specs, layers)
        # This is a function because TensorFlow would track the variables of an
        # attribute a second time.
        self._parts = lambda: (distribution, variables)
        owned = {id(v) for layer in layers for v in layer.variables}
        for name, variable in variables.items():
            if id(variable) not in owned:
                self._track_variable(variable)
            # `tf.train.Checkpoint` cannot read Keras' lists.
            self._track_trackable(variable, name)
        # The layers are not an attribute because Keras would then save them a
        # second time, by position.
        self._layers.extend(layers)
        self.initialized = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            name="initialized",
        )
        self._load_error = None
        self._is_warned = False
        self.built = True

    @property
    def distribution(self):
        """The `tfd.Distribution`."""
        return self._parts()[0]

    @property
    def named_variables(self):
        """Dictionary of stable names to the `keras.Variable`s in files."""
        return {**self._parts()[1], "initialized": self.initialized}

    def warn_unless_initialized(self, name):
        """Warns once if the norms are trained without their initialization."""
        if self._is_warned or tf.distribute.has_strategy():
            return
        self._is_warned = True
        parts = [
            part
            for part in self.distribution.submodules
            if isinstance(part, initialization.DataDependent)
        ]
        with tf.init_scope():
            is_set = bool(tf.convert_to_tensor(self.initialized.value))
        if parts and not is_set:
            warnings.warn(
                f"Expected the activation norms of `{name}` to be initialized "
                "from data before they are trained, as its own `fit` does. "
                "Call its `initialize(x)` first, with the conditioning if "
                "there is any.",
                stacklevel=2,
            )

    def save_own_variables(self, store):
        store[saving.KEY] = np.int32(saving.VERSION)
        for name, variable in self.named_variables.items():
            store[name] = keras.ops.convert_to_numpy(variable.value)

    def load_own_variables(self, store):
        # Keras does not tell layers about `skip_mismatch`. Overriding
        # `load_weights` would miss calls of `keras.saving.load_weights`, and
        # larger models. If Keras renames its variables, a file that does not
        # fit loads nothing.
        loading = inspect.currentframe().f_back.f_locals
        # Keras tries a layer that failed again, with an empty store, and would
        # report only the second error.
        if id(self) in (loading.get("failed_saveables") or ()):
            raise self._load_error
        variables = self.named_variables
        try:
            values, misfits = _read(store, variables)
            if misfits and not loading.get("skip_mismatch"):
                shown = "; ".join(misfits[:5])
                raise ValueError(
                    "The file holds the weights of another distribution. "
                    f"Expected {len(variables)} variables. Received: "
                    f"{len(values)} that fit; {shown}; {len(misfits)} misfits "
                    "in all. `skip_mismatch=True` loads those that fit"
                )
        except ValueError as error:
            self._load_error = error
            raise
        for name, value in values.items():
            variables[name].assign(value)
        if misfits:
            warnings.warn(
                f"Loaded {len(values)} of {len(variables)} variables. Skipped: "
                f"{'; '.join(misfits)}",
                stacklevel=2,
            )


def _read(store, variables):
    """Returns a dictionary of the values that fit, and a list of the misfits."""
    received = set(store.keys())
    if saving.KEY in received:
        received.remove(saving.KEY)
        saving.check_version(int(np.asarray(store[saving.KEY])))
    expected = variables.keys()
    misfits = [
        *(
            f"{name} is only in the file"
            for name in sorted(received - expected)
        ),
        *(f"{name} is not in the file" for name in sorted(expected - received)),
    ]
    values = {}
    for name in [name for name in variables if name in received]:
        value = np.asarray(store[name])
        if variables[name].shape == value.shape:
            values[name] = value
        else:
            misfits.append(
                f"{name} has shape {value.shape} in the file, not "
                f"{variables[name].shape}"
            )
    return values, misfits


def find(root, call=None, specs=(), layers=()):
    """Returns the layers and the named variables of a distribution, `root`.

    The layers are the outermost ones, `layers` included. Evaluating the density,
    `call` of arguments like `specs`, finds variables that attributes and
    closures do not reach. Raises `ValueError` if there are no trainable
    variables, or if the density has no gradient with respect to any of them.
    """
    traced, is_differentiable = [], True
    if call is not None:
        traced, is_differentiable = _trace(call, specs)
    layers = _outermost_layers(root, layers)
    metrics = [metric for layer in layers for metric in layer.metrics]
    of_metrics = {id(v) for metric in metrics for v in metric.variables}
    of_layers = [v for layer in layers for v in layer.variables]
    of_layers = [v for v in of_layers if id(v) not in of_metrics]
    owners = {id(_whole(v.value)): v for v in of_layers}
    found = {}
    for variable, name in [
        *((v, v.name) for v in root.variables),
        *((v.value, v.path) for v in of_layers),
        *sorted(((v, v.name) for v in traced), key=lambda p: _natural(p[1])),
    ]:
        found.setdefault(id(_whole(variable)), (variable, name))
    names = stable_names([name for _, name in found.values()])
    variables = {}
    for name, (key, (v, _)) in zip(names, found.items()):
        if key not in owners:  # The Keras variable shares the storage.
            owners[key] = keras.Variable(v, trainable=v.trainable, name=name)
        variables[name] = owners[key]
    if not any(v.trainable for v in variables.values()):
        raise ValueError(
            "Expected a distribution with trainable variables, `tf.Variable`s "
            f"or those of Keras layers. Received: {root}"
        )
    if not is_differentiable:
        raise ValueError(
            "Expected a distribution whose `log_prob` can be differentiated "
            "with respect to its variables. Received one without any gradient: "
            f"{root}"
        )
    return layers, variables


def stable_names(names):
    """Makes names unique and independent of what else a process has made.

    `dense_5/kernel` and `dense_7/kernel` become `dense.kernel` and
    `dense_1.kernel`. Parts that are counted from 0, as in `level_0` and
    `level_1`, are kept.
    """
    paths = [tuple(name.split(":")[0].split("/")) for name in names]
    numbers = collections.defaultdict(set)
    for path in paths:
        for i, part in enumerate(path[:-1]):
            stem, number = _split_number(part)
            numbers[path[:i], stem].add(number)
    result = {}
    for path in paths:
        parts = []
        for i, part in enumerate(path[:-1]):
            stem, number = _split_number(part)
            found = numbers[path[:i], stem]
            if 0 not in found:
                rank = sorted(found).index(number)
                part = f"{stem}_{rank}" if rank else stem
            parts.append(part)
        stem = name = ".".join([*parts, path[-1]])
        count = 1
        while name in result:
            count += 1
            name = f"{stem}_{count}"
        result[name] = None
    return list(result)


def _split_number(part):
    match = _NUMBERED.fullmatch(part)
    return (match[1], int(match[2])) if match else (part, -1)


def _natural(name):
    """A sort key by which `a_10` follows `a_9`."""
    return [
        int(part) if part.isdigit() else part
        for part in re.split(r"(\d+)", name)
    ]


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
    if isinstance(item, type) or not (
        isinstance(item, tf.Module) or callable(item)
    ):
        return []
    return list(getattr(item, "__dict__", {}).values())
