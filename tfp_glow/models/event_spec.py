# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Batches of a distribution's events, as arrays, tensors or data sets."""

import itertools

import numpy as np
import tensorflow as tf

from tfp_glow import _checks
from tfp_glow.distributions import dequantized

_EMPTY = "Expected a data set of at least one batch. Received: an empty one"


class Batches:
    """What batches of events are, and of what they are conditioned on."""

    def __init__(self, distribution, conditioning_shape, num_classes):
        """Makes the description.

        Args:
            distribution: `tfd.Distribution`.
            conditioning_shape: shape of one event's conditioning, or `None` if
                there is none.
            num_classes: `int` if the conditioning is labels, of shape `()`.
        """
        self._distribution = distribution
        self._conditioning_shape = conditioning_shape
        self._num_classes = num_classes
        self._bins = getattr(distribution, "bins", None)

    @property
    def is_conditional(self):
        """Whether events come with conditioning."""
        return self._conditioning_shape is not None

    @property
    def event_specs(self):
        """`tf.TensorSpec`s of a batch, nested as events are."""
        return tf.nest.map_structure(
            lambda shape, dtype: tf.TensorSpec([None, *shape], dtype),
            self._distribution.event_shape,
            self._distribution.dtype,
        )

    @property
    def conditioning_spec(self):
        """`tf.TensorSpec` of a batch's conditioning."""
        dtype = tf.float32 if self._num_classes is None else tf.int32
        return tf.TensorSpec([None, *self._conditioning_shape], dtype)

    def event_tensors(self, x):
        """Tensors, and of the distribution's dtype if that is floating."""
        if isinstance(self._distribution, dequantized.Dequantized):
            return tf.convert_to_tensor(x)
        return tf.nest.map_structure(
            lambda dtype, values: tf.cast(values, dtype),
            self._distribution.dtype,
            x,
        )

    def conditioning_tensor(self, conditioning):
        """A `Tensor` of float32, of int32 if it is labels, or `None`."""
        if conditioning is None:
            return None
        return tf.cast(conditioning, self.conditioning_spec.dtype)

    def conditioning_vectors(self, conditioning):
        """The same, with labels as one-hot vectors of float32."""
        if self._num_classes is None:
            return conditioning
        message = f"Expected labels in [0, {self._num_classes})"
        checked = [
            tf.debugging.assert_non_negative(conditioning, message),
            tf.debugging.assert_less(conditioning, self._num_classes, message),
        ]
        with tf.control_dependencies([c for c in checked if c is not None]):
            return tf.one_hot(conditioning, self._num_classes)

    def check(self, x, conditioning=None):
        """Raises `TypeError` or `ValueError` unless a batch is one.

        Args:
            x: arrays or tensors `[N, ...]`, nested as events are.
            conditioning: `[N, *conditioning_shape]`, or `None`.
        """
        _checks.event_structure(x, self._distribution)
        parts = [
            v if tf.is_tensor(v) else np.asarray(v) for v in tf.nest.flatten(x)
        ]
        _checks.events([(v.shape, v.dtype) for v in parts], self._distribution)
        for values in parts:
            _checks.event_values(values, self._bins)
        self.check_conditioning(conditioning, len(parts[0]))

    def check_conditioning(self, conditioning, num_events):
        """The same of the conditioning of a number of events."""
        if not self.is_conditional:
            if conditioning is not None:
                raise ValueError(
                    "Expected no conditioning, since the model was made "
                    "without `conditioning_fn`. Received: one of shape "
                    f"{np.shape(conditioning)}"
                )
            return
        wanted = (num_events, *self._conditioning_shape)
        if conditioning is None:
            raise ValueError(
                f"Expected the conditioning, of shape {wanted}, beside the "
                "events. Received: None"
            )
        _checks.conditioning(conditioning, wanted)
        if self._num_classes is not None:
            _checks.labels(conditioning, self._num_classes)

    def check_dataset(self, dataset):
        """The same of the batches of a `tf.data.Dataset`, as far as declared."""
        spec = dataset.element_spec
        parts = spec if isinstance(spec, tuple) else (spec,)
        _checks.event_structure(parts[0], self._distribution)
        _checks.events(
            [(s.shape, s.dtype) for s in tf.nest.flatten(parts[0])],
            self._distribution,
        )
        if self.is_conditional:
            if len(parts) < 2:
                raise ValueError(
                    "Expected a data set of pairs, events and their "
                    f"conditioning. Received: {spec}"
                )
            _checks.conditioning(parts[1], (None, *self._conditioning_shape))
            if self._num_classes is not None:
                _checks.labels(parts[1], self._num_classes)
        if dataset.cardinality() == 0:
            raise ValueError(_EMPTY)

    def join(self, data):
        """Makes events and conditioning one input, as Keras' models take it.

        Args:
            data: `tf.data.Dataset`, or tuple of events, conditioning or labels,
                and perhaps weights.

        Returns:
            The same, if there is no conditioning; else with the pair in the
            place of the events.
        """
        if not self.is_conditional:
            return data
        if isinstance(data, tf.data.Dataset):
            return data.map(lambda *parts: self.join(parts))
        x, conditioning, *weight = data
        if not weight:
            return ((x, conditioning),)
        return (x, conditioning), conditioning, *weight

    def join_arguments(self, x, y, has_weights):
        """The same of Keras' arguments `x` and `y`, no data sets."""
        if self.is_conditional and y is not None:
            x, y = (x, y), None
        if has_weights and y is None:
            # Without labels Keras drops the samples' weights.
            y = np.zeros(len(tf.nest.flatten(x)[0]))
        return x, y

    def split(self, x):
        """The events and the conditioning that `join` made one."""
        if not isinstance(x, tuple | list) or len(x) != 2:
            raise ValueError(
                "Expected a pair of events and their conditioning. Received: "
                f"{type(x).__name__}"
            )
        return x

    def first(self, x, y, num_batches, batch_size):
        """Tuple of events, and conditioning if any, of the first batches."""
        if not isinstance(x, tf.data.Dataset):
            parts = (x, y) if self.is_conditional else (x,)
            return tf.nest.map_structure(
                lambda values: values[: num_batches * batch_size], parts
            )
        batches = list(itertools.islice(x, num_batches))
        if not batches:
            raise ValueError(_EMPTY)
        wanted = 2 if self.is_conditional else 1
        batches = [
            b[:wanted] if isinstance(b, tuple) else (b,) for b in batches
        ]
        return tf.nest.map_structure(
            lambda *values: tf.concat(values, axis=0), *batches
        )
