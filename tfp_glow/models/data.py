# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Checks all kinds of data that Keras' `fit` takes, and makes them alike.

Arrays become NumPy arrays or tensors, and everything that yields batches becomes
a `tf.data.Dataset`, except `keras.utils.PyDataset`, which Keras reads itself.
"""

import collections.abc
import itertools
import math

import keras
import numpy as np
import tensorflow as tf

from tfp_glow import _checks

# Operations that read from Python or from an iterator, perhaps only once.
_READ_ONCE = {
    "GeneratorDataset",
    "IteratorGetNext",
    "IteratorGetNextAsOptional",
}


def standard(spec, x, y=None, sample_weight=None, class_weight=None, count=0):
    """Returns arguments of Keras' `fit`, and at least the first `count` batches.

    The labels `y` are the conditioning if `spec`, an `EventSpec`, has one. The
    batches are a list of tuples, which is empty for arrays. The data still
    contain them.
    """
    given = dict(x=x, y=y)
    if sample_weight is not None:
        given["sample_weight"] = sample_weight
    if isinstance(x, tf.data.Dataset):
        spec.check_dataset(x)
        if count and _READ_ONCE & _operations(x):
            given["x"], first = _from_python(x, count, x.element_spec)
        else:
            first = _first(map(_batch, x), count, int(x.cardinality()))
    elif isinstance(x, keras.utils.PyDataset):
        count = max(count, 1)
        size = count if x.num_batches is None else min(count, x.num_batches)
        first = [_batch(x[i]) for i in range(size)]
    elif _is_iterable(x):
        given["x"], first = _from_python(x, max(count, 1))
        spec.check_dataset(given["x"])
    else:
        return _arrays(spec, x, y, sample_weight, class_weight), []
    for events, *labels in first[:1]:
        spec.check(events, *labels[: spec.is_conditional])
    if class_weight is None:
        return given, first
    if isinstance(x, keras.utils.PyDataset):
        _check_class_weight(spec, class_weight, *first[0][1:])
        return given | {"class_weight": class_weight}, first
    parts = given["x"].element_spec
    parts = parts[1:] if isinstance(parts, tuple) else ()
    _check_class_weight(spec, class_weight, *parts)
    given["x"] = given["x"].map(
        lambda x, y: (x, y, _class_weights(class_weight, y))
    )
    return given, first


def size(x, batch_size=None):
    """Returns the numbers of batches and of events in one of them.

    `x` is from `standard`. Numbers that are not known are `None`.
    """
    if isinstance(x, tf.data.Dataset):
        # Negative numbers mean infinite or unknown.
        count = int(x.cardinality())
        batch_size = tf.nest.flatten(x.element_spec)[0].shape[0]
        return count if count >= 0 else None, batch_size
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches, None
    batch_size = batch_size or 32
    return len(tf.nest.flatten(x)[0]) / batch_size, batch_size


def check_epochs(x, name, arguments):
    """Raises `ValueError` if an iterator would be read in several epochs."""
    several = arguments.get("epochs", 1) - arguments.get("initial_epoch", 0) > 1
    is_iterator = isinstance(x, collections.abc.Iterator)
    if is_iterator and several and arguments.get(name) is None:
        expected = "a number of batches, since an iterator is read only once"
        raise _checks.invalid_value(name, None, expected)


def array(values):
    """Converts anything like an array to a NumPy array or a `tf.Tensor`."""
    if isinstance(values, tf.TypeSpec):
        return values
    if isinstance(values, tf.RaggedTensor | tf.SparseTensor):
        raise TypeError(
            "Expected a dense array, for example of `tf.RaggedTensor.to_tensor` "
            f"or `tf.sparse.to_dense`. Received: a {type(values).__name__}"
        )
    if tf.is_tensor(values) or isinstance(values, keras.Variable):
        return tf.convert_to_tensor(values)
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"Expected rows of equal lengths. Received: {error}"
        ) from error
    is_numeric = found.dtype.kind not in "OSU"
    if not is_numeric or (isinstance(values, list | tuple) and not found.size):
        received = f"{type(values).__name__} of dtype {found.dtype}"
        received = received if found.size else f"an empty {received}"
        raise TypeError(f"Expected numbers, as an array. Received: {received}")
    return found


def _is_iterable(x):
    is_array = hasattr(x, "__array__") or hasattr(x, "shape")
    is_python = isinstance(x, list | tuple | dict | str | bytes)
    return isinstance(x, collections.abc.Iterable) and not (
        is_array or is_python
    )


def _batch(values):
    """Converts a batch to a tuple `(x,)`, `(x, y)` or `(x, y, weight)`."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(values)
    if y is None and weight is not None:
        y = np.zeros(len(tf.nest.flatten(x)[0]))
    parts = (part for part in (x, y, weight) if part is not None)
    return tuple(tf.nest.map_structure(array, part) for part in parts)


def _first(batches, count, size):
    """Returns a list of the first batches of `size`, if it is not negative.

    Raises `ValueError` if the model could not be initialized from so many.
    """
    count = min(count, size) if size >= 0 else count
    first = []
    for batch in itertools.islice(batches, count):
        first.append(batch)
        if len(first) == 1:
            parts = tf.nest.flatten(first[0][0])
            num_values = count * sum(math.prod(part.shape) for part in parts)
            # Assume 64 activations for every value.
            what = f"the activations of {count} batches, `init_batches`,"
            _checks.memory(256 * num_values, what)
    return first


def _from_python(source, count, element_spec=None):
    """Returns a data set of an iterable's batches, and a list of the first."""
    iterator = map(_batch, source)
    size = -1
    if isinstance(source, tf.data.Dataset):
        size = int(source.cardinality())
    elif hasattr(source, "__len__"):
        size = len(source)
    first = _first(iterator, count, size)
    if not first:
        raise ValueError(
            "Expected at least one batch. Received: a "
            f"{type(source).__name__} that yields none"
        )
    unread = [itertools.chain(first, iterator)]

    def batches():
        # An iterator continues where it stopped.
        yield from unread.pop() if unread else map(_batch, source)

    if element_spec is None:
        element_spec = tf.nest.map_structure(
            lambda v: tf.TensorSpec([None, *v.shape[1:]], v.dtype), first[0]
        )
    elif not isinstance(element_spec, tuple):
        element_spec = (element_spec,)
    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=element_spec
    )
    if size >= 0:
        known = tf.data.experimental.assert_cardinality(size)
        dataset = dataset.apply(known)
    return dataset.prefetch(tf.data.AUTOTUNE), first


def _operations(dataset):
    """Returns the set of the names of all operations inside a data set."""
    names = set()
    for function in dataset._functions():
        graph = function.function.graph.as_graph_def()
        bodies = [f.node_def for f in graph.library.function]
        names.update(n.op for nodes in [graph.node, *bodies] for n in nodes)
    return names.union(*map(_operations, dataset._inputs()))


def _arrays(spec, x, y, sample_weight, class_weight):
    x = spec.arrays(x)
    if y is not None:
        y = tf.nest.map_structure(array, y) if isinstance(y, dict) else array(y)
    spec.check(x, y if spec.is_conditional else None)
    count = len(tf.nest.flatten(x)[0])
    if class_weight is not None:
        _check_class_weight(spec, class_weight, y, sample_weight)
        sample_weight = _class_weights(class_weight, y)
    given = dict(x=x, y=y)
    if sample_weight is not None:
        sample_weight = np.asarray(sample_weight, np.float32)
        if sample_weight.shape not in ((count,), (count, 1)):
            raise ValueError(
                "Invalid shape received for argument `sample_weight`. Expected "
                f"({count},), a weight for each event. Received: "
                f"{sample_weight.shape}"
            )
        given["sample_weight"] = sample_weight
        if y is None:  # Keras drops weights where there are no labels.
            given["y"] = np.zeros(count)
    return given


def _check_class_weight(spec, class_weight, labels=None, sample_weight=None):
    expected = None
    if sample_weight is not None:
        expected = "None with weights of samples"
    elif labels is None or tf.TensorShape(labels.shape).rank not in (None, 1):
        expected = "None without labels of shape (N,)"
    elif spec.is_conditional and spec.num_classes is None:
        expected = "None, because the conditioning is not labels"
    elif not isinstance(class_weight, dict) or not class_weight:
        expected = "a dictionary of labels to weights"
    elif spec.num_classes and not class_weight.keys() <= {
        *range(spec.num_classes)
    }:
        expected = f"labels in [0, {spec.num_classes}) as keys"
    if expected:
        raise _checks.invalid_value("class_weight", class_weight, expected)


def _class_weights(class_weight, labels):
    """Returns the weights of labels `[N]`; 1 for classes without one."""
    keys = tf.constant(list(class_weight), tf.int64)
    values = tf.constant(list(class_weight.values()), tf.float32)
    is_key = tf.cast(labels, tf.int64)[:, tf.newaxis] == keys
    return 1.0 + tf.reduce_sum(tf.where(is_key, values - 1.0, 0.0), axis=-1)
