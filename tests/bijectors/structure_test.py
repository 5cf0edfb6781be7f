# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.bijectors.structure`."""

import tensorflow_probability as tfp

import tfp_glow as tfg
from tfp_glow.bijectors import structure

tfb = tfp.bijectors
tfd = tfp.distributions


def norm(name):
    return tfg.ActNorm.trainable(4, name=name)


def test_the_base_classes_hold_for_parts_of_both_kinds():
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [4])
    # TFP makes composite tensors of its own bijectors only.
    for bijector in (tfb.Exp(), norm("norm")):
        chain = tfb.Chain([bijector])
        assert isinstance(chain, structure.CHAIN)
        assert isinstance(tfb.Invert(bijector), structure.INVERT)
        flow = tfd.TransformedDistribution(normal, chain)
        assert isinstance(flow, structure.TRANSFORMED)
        assert not isinstance(bijector, structure.CHAIN)
        assert not isinstance(bijector, structure.INVERT)
    assert not isinstance(normal, structure.TRANSFORMED)


def test_parts_are_in_the_order_in_which_they_are_applied():
    a, b, c = map(norm, "abc")
    chain = tfb.Chain([a, tfb.Invert(tfb.Chain([b, tfb.Invert(c)]))])
    # y = a(c(b_inverse(x)))
    forward = [(b, True, 1), (c, False, 1), (a, False, 1)]
    assert structure.parts(chain, 1) == forward
    backward = [(a, True, 1), (c, True, 1), (b, False, 1)]
    assert structure.parts(chain, 1, inverse=True) == backward
    assert structure.parts(tfb.Invert(chain), 1) == backward
    assert structure.parts(a, 1) == [(a, False, 1)]


def test_parts_include_the_rank_of_their_inputs():
    reshape = tfb.Reshape([2, 2, 4], [16])
    squeeze, last = tfg.Squeeze(), norm("norm")
    chain = tfb.Chain([last, squeeze, reshape])
    assert structure.parts(chain, 1) == [
        (reshape, False, 1),
        (squeeze, False, 3),
        (last, False, 3),
    ]
    assert structure.parts(chain, 3, inverse=True) == [
        (last, True, 3),
        (squeeze, True, 3),
        (reshape, True, 3),
    ]
