# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""EventSpec: what batches of events and of conditioning look like."""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_glow import _checks
from tfp_glow.bijectors import glow
from tfp_glow.distributions import dequantized
from tfp_glow.distributions import noise_flow
from tfp_glow.models import data

tfd = tfp.distributions


@dataclasses.dataclass(frozen=True)
class EventSpec:
    """Describes, checks and converts batches for a distribution.

    One event's conditioning has `conditioning_shape`, `None` if there is none.
    With `num_classes` it is a label.
    """

    distribution: tfd.Distribution
    conditioning_shape: tuple | None
    num_classes: int | None

    @property
    def is_conditional(self):
        """Whether events come with conditioning."""
        return self.conditioning_shape is not None

    @property
    def is_dequantized(self):
        """Whether events are integers to which the distribution adds noise."""
        return isinstance(self.distribution, dequantized.Dequantized)

    @property
    def event_specs(self):
        """`tf.TensorSpec`s of a batch, nested as events are."""
        return tf.nest.map_structure(
            lambda shape, dtype: tf.TensorSpec([None, *shape], dtype),
            self.distribution.event_shape,
            self.distribution.dtype,
        )

    @property
    def conditioning_spec(self):
        """`tf.TensorSpec` of a batch's conditioning."""
        dtype = tf.float32 if self.num_classes is None else tf.int32
        return tf.TensorSpec([None, *self.conditioning_shape], dtype)

    @property
    def event_size(self):
        """Number of dimensions of an event, or `None` if it is not known."""
        sizes = [
            tf.TensorShape(shape).num_elements()
            for shape in tf.nest.flatten(self.distribution.event_shape)
        ]
        return None if None in sizes else sum(sizes)

    @property
    def log_prob_dtype(self):
        """`str`, the dtype of log-probabilities."""
        dtypes = dequantized.continuous(self.distribution).dtype
        dtypes = [tf.as_dtype(d) for d in tf.nest.flatten(dtypes)]
        return next((d.name for d in dtypes if d.is_floating), "float32")

    def arrays(self, x):
        """Converts events to arrays or tensors. Lists of numbers are arrays."""
        _checks.event_structure(x, self.distribution)
        structure = self.distribution.dtype
        parts = tf.nest.flatten(x) if tf.nest.is_nested(structure) else [x]
        arrays = [data.array(part) for part in parts]
        return tf.nest.pack_sequence_as(structure, arrays)

    def event_tensors(self, x):
        """Converts events to tensors, of the distribution's floating dtype.

        Their shapes are set, because a data set may not know them.
        """

        def convert(values, shape, dtype):
            values = tf.convert_to_tensor(values)
            if not self.is_dequantized:
                values = tf.cast(values, dtype)
            expected = tf.TensorShape([None]) + shape
            if not expected.is_compatible_with(values.shape):
                raise _checks.invalid_batch(expected, values.shape)
            if values.shape[1:].is_fully_defined():
                return values
            return tf.ensure_shape(values, expected)

        distribution = self.distribution
        return tf.nest.map_structure(
            convert,
            self.arrays(x),
            distribution.event_shape,
            distribution.dtype,
        )

    def conditioning_vectors(self, conditioning):
        """Converts conditioning to float32, labels to one-hot vectors."""
        spec = self.conditioning_spec
        conditioning = tf.cast(conditioning, spec.dtype)
        if not conditioning.shape[1:].is_fully_defined():
            conditioning = tf.ensure_shape(conditioning, spec.shape)
        if self.num_classes is None:
            return conditioning
        message = f"Expected labels in [0, {self.num_classes})"
        tf.debugging.assert_non_negative(conditioning, message)
        tf.debugging.assert_less(conditioning, self.num_classes, message)
        return tf.one_hot(conditioning, self.num_classes)

    def check(self, x, conditioning=None):
        """Raises `TypeError` or `ValueError` unless a batch fits.

        It may also be a `tf.TypeSpec`, which has no values to be checked.
        """
        parts = tf.nest.flatten(self.arrays(x))
        _checks.events([(v.shape, v.dtype) for v in parts], self.distribution)
        bins = getattr(self.distribution, "bins", None)
        for values in parts:
            _checks.event_values(values, bins)
        self.check_conditioning(conditioning, parts[0].shape[0])

    def check_conditioning(self, conditioning, num_events):
        """Raises unless conditioning fits `num_events` events."""
        if not self.is_conditional:
            if conditioning is not None:
                raise ValueError(
                    "Expected no conditioning, since the model was made "
                    "without `conditioning_fn`. Received: one of shape "
                    f"{np.shape(conditioning)}"
                )
            return
        expected = (num_events, *self.conditioning_shape)
        if conditioning is None:
            raise ValueError(
                f"Expected the conditioning, of shape {expected}, in addition to "
                "the events. Received: None"
            )
        _checks.conditioning(conditioning, expected, self.num_classes)

    def check_dataset(self, dataset):
        """Raises unless the declared shapes of a `tf.data.Dataset` fit."""
        spec = dataset.element_spec
        parts = spec if isinstance(spec, tuple) else (spec,)
        if self.is_conditional and len(parts) < 2:
            raise ValueError(
                "Expected a data set of pairs, events and their conditioning. "
                f"Received: {spec}"
            )
        self.check(*parts[: 1 + self.is_conditional])
        if dataset.cardinality() == 0:
            raise ValueError(
                "Expected a data set of at least one batch. Received: an empty "
                "one"
            )

    def first(self, x, y, batches, num_events):
        """Returns a tuple of the first events and, if any, conditioning.

        They are those of `batches`, or without any, `num_events` of the arrays.
        """
        num_parts = 2 if self.is_conditional else 1
        if not batches:
            return tf.nest.map_structure(
                lambda values: values[:num_events], (x, y)[:num_parts]
            )
        return tf.nest.map_structure(
            lambda *values: tf.concat(values, axis=0),
            *(batch[:num_parts] for batch in batches),
        )


def check_arguments(distribution, conditioning_fn, conditioning_shape):
    """Raises `TypeError` or `ValueError` unless a `FlowModel` can have them."""
    if not isinstance(distribution, tfd.Distribution):
        raise TypeError(
            "Expected a `tfd.Distribution`. Received: "
            f"{type(distribution).__name__}"
        )
    if (conditioning_fn is None) != (conditioning_shape is None):
        raise ValueError(
            "Expected both of `conditioning_fn` and `conditioning_shape`, or "
            f"neither. Received: conditioning_fn={conditioning_fn}, "
            f"conditioning_shape={conditioning_shape}"
        )
    for shape in tf.nest.flatten(distribution.batch_shape):
        if tf.TensorShape(shape).rank != 0:
            raise ValueError(
                "Expected a distribution of batch shape []; `tfd.Independent` "
                "turns batch dimensions into dimensions of the event. "
                f"Received: {distribution}"
            )


def is_glow(distribution):
    """Whether all variables can be found without a call, as for a `Glow`."""
    noise = getattr(distribution, "dequantizer", None)
    flow = dequantized.continuous(distribution)
    return isinstance(noise, noise_flow.NoiseFlow | None) and isinstance(
        getattr(flow, "bijector", None), glow.Glow
    )
