# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `model.summary()`, of `repr`, and of flows in other Keras models."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

import tfp_glow as tfg
from tests.models import tiny

tfb = tfp.bijectors
tfd = tfp.distributions


def summary_of(model):
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join(lines)


@pytest.fixture(scope="module")
def glow():
    return tiny.model(image_shape=[8, 8, 1], num_levels=2, num_steps=3)


def test_summary_lists_the_levels_of_a_glow(glow):
    text = summary_of(glow)
    sizes = [
        sum(
            np.prod(v.shape)
            for name, v in glow.named_variables.items()
            if f"level_{i}." in name
        )
        for i in (0, 1)
    ]
    assert sum(sizes) == glow.count_params() - 1  # And the flag `initialized`.
    for i, shape in enumerate(["(None, 4, 4, 2)", "(None, 2, 2, 8)"]):
        (line,) = (x for x in text.splitlines() if f"level_{i}" in x)
        assert "3 steps of" in line
        assert shape in line
        assert f" {sizes[i]:,} " in line
    assert "unbuilt" not in text
    assert "level_1, 3 steps of width 4, affine, (None, 2, 2, 8)" in repr(glow)


@pytest.mark.slow
def test_repr_of_flows_tells_their_sizes(glow):
    for value in (glow.distribution, glow.distribution.distribution, glow.glow):
        text = repr(value)
        for part in (
            "num_levels=2",
            "num_steps=3",
            "num_filters=4",
            "coupling=affine",
        ):
            assert part in text
        assert "latent_shapes=[(4, 4, 2), (2, 2, 8)]" in text
    scaled = tfb.Chain([tfb.Scale(2.0), glow.glow])
    normal = tfd.Sample(tfd.Normal(0.0, 1.0), [64])
    scaled = tfg.FlowModel(tfd.TransformedDistribution(normal, scaled))
    assert "level_1, 3 steps of width 4, affine, (None, 2, 2" in repr(scaled)
    flow = tfg.vector_flow(3, num_steps=2, num_filters=5, conditioning_size=2)
    for value in (flow, flow.bijector, flow.bijector.bijector):
        assert "num_steps=2" in repr(value)
        assert "conditioning_shape=(2,)" in repr(value)
        assert "'kernel': (2, 5, 5)" in repr(value)
    assert "vector_flow, 2 steps of width 5" in summary_of(
        tfg.FlowModel(tfg.vector_flow(3, num_steps=2, num_filters=5))
    )


def test_a_level_can_be_frozen():
    model = tiny.model(num_levels=2)
    before = len(model.trainable_variables)
    *_, first, second = model.layers
    first.trainable = False
    assert (first.trainable, second.trainable) == (False, True)
    left = sum(v.trainable for v in second.weights)
    assert len(model.trainable_variables) == left < before


def test_summary_of_any_distribution_lists_its_variables():
    joint = tfd.JointDistributionNamed(
        dict(
            a=tfd.Normal(tf.Variable(0.0, name="loc"), 1.0),
            b=lambda a: tfd.Normal(a, 1.0),
        )
    )
    text = summary_of(tfg.FlowModel(joint))
    assert "loc" in text and "(None, ...)" in text


class Inner(keras.layers.Layer):
    """A layer that holds a flow."""

    def __init__(self, flow):
        super().__init__()
        self.flow = flow

    def call(self, x):
        return self.flow(x)


# `pytest.warns` repeats this warning of Keras without the name of its module,
# by which `pyproject.toml` allows it.
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_a_flow_in_another_model_adds_no_metrics_and_names_unset_norms():
    flow = tfg.FlowModel(tiny.vector_flow(), name="the_flow")
    x = tiny.crescent(16).astype(np.float32)
    inputs = keras.Input([2])
    model = keras.Model(inputs, [Inner(flow)(inputs), flow(inputs)])
    model.compile("adam", loss=[lambda _, y: -y] * 2)
    with pytest.warns(
        UserWarning, match="`the_flow` to be initialized"
    ) as found:
        logs = model.fit(x, [x[:, 0]] * 2, epochs=2, verbose=0).history
    assert sum("the_flow" in str(w.message) for w in found) == 1
    assert not {"nats", "bits_per_dim"} & logs.keys()
    assert all(np.all(values) for values in logs.values())


def test_a_layer_that_samples_adds_no_metrics():
    flow = tfg.FlowModel(tiny.vector_flow())
    x = tiny.crescent(16).astype(np.float32)
    flow.compile("adam")
    flow.fit(x, verbose=0)
    assert {"nats", "bits_per_dim"} < set(flow.metrics_names)
    inputs = keras.Input([2])
    model = keras.Model(inputs, tfg.layers.Sample(flow)(inputs))
    model.compile("adam", loss="mse")
    assert model.fit(x, x, verbose=0).history.keys() == {"loss"}
