# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Values and log-dets of bijectors from one evaluation."""

import tensorflow_probability as tfp
from tensorflow_probability.python.internal import cache_util

tfb = tfp.bijectors


class OneEvaluation(tfb.Bijector):
    """A bijector that computes its output and its log-det together.

    A subclass implements `_forward_and_log_det(x)` and
    `_inverse_and_log_det(y)`, each of which returns the output and the
    log-det-Jacobian of that direction at the minimum event rank. TFP's cache
    then keeps both, so that `log_prob` (an inverse and a forward log-det)
    and `sample` evaluate them once.

    The only place that relies on TFP's internal cache; `tfb.FFJORD` does
    the same.
    """

    _cache = cache_util.BijectorCacheWithGreedyAttrs(
        forward_name="_augmented_forward", inverse_name="_augmented_inverse"
    )

    def _augmented_forward(self, x, **kwargs):
        y, log_det = self._forward_and_log_det(x, **kwargs)
        return y, {"ildj": -log_det}

    def _augmented_inverse(self, y, **kwargs):
        x, log_det = self._inverse_and_log_det(y, **kwargs)
        return x, {"ildj": log_det}

    def _forward_log_det_jacobian(self, x, **kwargs):
        self._cache.forward(x, **kwargs)
        return -self._cache.forward_attributes(x, **kwargs)["ildj"]

    def _inverse_log_det_jacobian(self, y, **kwargs):
        self._cache.inverse(y, **kwargs)
        return self._cache.inverse_attributes(y, **kwargs)["ildj"]


def forward_and_log_det(bijector, x, event_ndims):
    """`bijector.forward(x)` and the log-det of events of `event_ndims`."""
    y = bijector.forward(x)
    return y, bijector.forward_log_det_jacobian(x, event_ndims=event_ndims)


def inverse_and_log_det(bijector, y, event_ndims):
    """`bijector.inverse(y)` and the log-det of events of `event_ndims`."""
    x = bijector.inverse(y)
    return x, bijector.inverse_log_det_jacobian(y, event_ndims=event_ndims)


def elementwise_forward(bijector, x):
    """`bijector.forward(x)` and the log-det of every element.

    Of a `OneEvaluation`, for one use, without what `tfb.Bijector` adds to
    every call: a cache, a scope and a sum over no dimensions.
    """
    if isinstance(bijector, OneEvaluation):
        return bijector._forward_and_log_det(x)
    return forward_and_log_det(bijector, x, 0)


def elementwise_inverse(bijector, y):
    """`bijector.inverse(y)` and the log-det of every element; as above."""
    if isinstance(bijector, OneEvaluation):
        return bijector._inverse_and_log_det(y)
    return inverse_and_log_det(bijector, y, 0)
