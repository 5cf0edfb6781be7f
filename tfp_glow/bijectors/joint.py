# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Computes a bijector's output and its log-determinant in one pass."""

import abc
import functools

import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util

from tfp_glow import _tf
from tfp_glow.bijectors import structure

tfb = tfp.bijectors


class JointBijector(tfb.Bijector):
    """A bijector that computes its output and its log-det together.

    A subclass implements two methods:

    ```none
    y, log_det = forward_and_log_det(x)    log_det = log|det dy/dx|
    x, log_det = inverse_and_log_det(y)    log_det = log|det dx/dy|
    ```

    The log-dets are those of an event of the minimum rank. TFP's cache keeps
    both results, so `log_prob` (an inverse and a forward log-det) and `sample`
    evaluate a network once. Direct calls of the two methods bypass that cache.
    """

    # This class is internal to TFP, and `tfb.FFJORD` uses it in this way.
    _cache = cache_util.BijectorCacheWithGreedyAttrs(
        forward_name="_augmented_forward", inverse_name="_augmented_inverse"
    )

    @classmethod
    def _parameter_properties(cls, dtype):
        return dict()

    @abc.abstractmethod
    def forward_and_log_det(self, x, **kwargs):
        """Returns `forward(x)` and the log-det of every event."""

    @abc.abstractmethod
    def inverse_and_log_det(self, y, **kwargs):
        """Returns `inverse(y)` and the inverse's log-det of every event."""

    def _augmented_forward(self, x, **kwargs):
        function = functools.partial(self.forward_and_log_det, **kwargs)
        event_ndims = self.forward_min_event_ndims
        y, log_det = _tf.with_known_rank(function, x, event_ndims)(x)
        return y, {"ildj": -log_det}

    def _augmented_inverse(self, y, **kwargs):
        function = functools.partial(self.inverse_and_log_det, **kwargs)
        event_ndims = self.inverse_min_event_ndims
        x, log_det = _tf.with_known_rank(function, y, event_ndims)(y)
        return x, {"ildj": log_det}

    def _forward_log_det_jacobian(self, x, **kwargs):
        self._cache.forward(x, **kwargs)
        return -self._cache.forward_attributes(x, **kwargs)["ildj"]

    def _inverse_log_det_jacobian(self, y, **kwargs):
        self._cache.inverse(y, **kwargs)
        return self._cache.inverse_attributes(y, **kwargs)["ildj"]


class SplitBijector(JointBijector):
    """A bijector that keeps one part of its input and transforms the rest.

    A subclass implements five methods. `Repeated` calls them separately, so that
    one evaluation of the network serves both the inverse and the gradient of a
    step.
    """

    @abc.abstractmethod
    def split(self, x):
        """Returns the part that is kept and the rest, by a permutation or mask."""

    @abc.abstractmethod
    def given(self, kept, **kwargs):
        """Evaluates the network; returns its output, a `Tensor`."""

    @abc.abstractmethod
    def forward_given(self, x, context):
        """Transforms the rest, given a result of `given`; returns the log-det too."""

    @abc.abstractmethod
    def inverse_given(self, y, context):
        """Undoes `forward_given`; returns the log-det of the inverse too."""

    @abc.abstractmethod
    def join(self, kept, rest):
        """Undoes `split`, and must also be its transpose."""

    def forward_and_log_det(self, x, **kwargs):
        kept, rest = self.split(x)
        rest, log_det = self.forward_given(rest, self.given(kept, **kwargs))
        return self.join(kept, rest), log_det

    def inverse_and_log_det(self, y, **kwargs):
        kept, rest = self.split(y)
        rest, log_det = self.inverse_given(rest, self.given(kept, **kwargs))
        return self.join(kept, rest), log_det


class Given(JointBijector):
    """A bijector with the keyword arguments of its methods bound.

    `Given(bijector, conditioning=c).forward(x)` is
    `bijector.forward(x, conditioning=c)`.
    """

    def __init__(self, bijector, name="given", **kwargs):
        parameters = dict(bijector=bijector, name=name, **kwargs)
        self._bijector = bijector
        self._kwargs = kwargs
        super().__init__(
            forward_min_event_ndims=bijector.forward_min_event_ndims,
            inverse_min_event_ndims=bijector.inverse_min_event_ndims,
            dtype=bijector.dtype,
            parameters=parameters,
            name=name,
        )

    def forward_and_log_det(self, x):
        ndims = self.forward_min_event_ndims
        return evaluate(self._bijector, x, ndims, **self._kwargs)

    def inverse_and_log_det(self, y):
        ndims = self.inverse_min_event_ndims
        return evaluate(self._bijector, y, ndims, inverse=True, **self._kwargs)


def evaluate(bijector, x, event_ndims, inverse=False, **kwargs):
    """Applies a bijector or its inverse to events of `event_ndims` dimensions.

    Returns the output and the log-det of every event.
    """
    return _function(bijector, inverse, event_ndims)(x, **kwargs)


def stages(bijector, event_ndims, inverse=False):
    """Returns a function like `evaluate` for each part of a chain, in order."""
    parts = structure.parts(bijector, event_ndims, inverse)
    return [_function(*part) for part in parts]


def _function(bijector, inverse, event_ndims):
    direction = "inverse" if inverse else "forward"
    min_event_ndims = getattr(bijector, f"{direction}_min_event_ndims")
    if isinstance(bijector, JointBijector) and event_ndims == min_event_ndims:
        return getattr(bijector, f"{direction}_and_log_det")

    def apply(x, **kwargs):
        y = getattr(bijector, direction)(x, **kwargs)
        log_det = getattr(bijector, f"{direction}_log_det_jacobian")
        return y, log_det(x, event_ndims=event_ndims, **kwargs)

    return apply
