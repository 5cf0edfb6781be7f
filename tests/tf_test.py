# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow._tf`."""

import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow import _tf

tfd = tfp.distributions


def test_other_batch_sizes_trace_once_more():
    traces = []

    def double(x):
        traces.append(x.shape)
        return 2.0 * x

    compiled = _tf.compiled(double)
    for size in range(1, 6):
        assert compiled(tf.ones([size, 3])).shape == [size, 3]
    assert traces == [[1, 3], [None, 3]]


def test_many_flows_do_not_warn(monkeypatch, caplog):
    monkeypatch.setattr(tf.get_logger(), "propagate", True)
    x = tf.zeros([2, 3])
    for loc in range(6):
        flow = tfd.Sample(tfd.Normal(tf.Variable(float(loc)), 1.0), [3])
        model = tfg.FlowModel(flow)
        model.log_prob(x)
        model.sample(1)
    assert not caplog.records
