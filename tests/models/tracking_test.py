# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow.models.tracking`."""

import functools

import keras
import pytest
import tensorflow as tf

from tfp_glow.models import tracking


class Holder(tf.Module):
    """A module that holds objects in attributes of any names."""

    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)


def dense(units=2, **kwargs):
    layer = keras.layers.Dense(units, **kwargs)
    layer.build([None, 3])
    return layer


GLOBAL_LAYER = dense(name="global_layer")


def test_variables_are_shared_and_keep_their_flags():
    holder = Holder(
        a=tf.Variable([1.0, 2.0], name="a"),
        b=tf.Variable(3, trainable=False, name="b"),
    )
    _, found = tracking.find(holder)
    assert list(found) == ["a", "b"]
    for name, variable in found.items():
        assert variable.value is getattr(holder, name)
    assert [v.trainable for v in found.values()] == [True, False]
    found["a"].assign([5.0, 6.0])
    assert holder.a.numpy().tolist() == [5.0, 6.0]


def test_what_is_reachable_twice_is_found_once():
    variable, layer = tf.Variable(0.0, name="v"), dense()
    holder = Holder(
        first=variable,
        second=[variable, {"again": variable}],
        layers=[layer, layer, lambda x: layer(x)],
        weights=tuple(w.value for w in layer.weights),
    )
    layers, variables = tracking.find(holder)
    assert layers == [layer]
    assert len(variables) == 3


def reach_by_closure(layer):
    return lambda x: layer(x)


def reach_by_partial(layer):
    return functools.partial(lambda x, net: net(x), net=layer)


def reach_by_method(layer):
    return layer.call


def reach_by_default(layer):
    return lambda x, net=layer: net(x)


def reach_by_callable_object(layer):
    class Network:
        def __init__(self):
            self.parts = [layer]

        def __call__(self, x):
            return self.parts[0](x)

    return Network()


@pytest.mark.parametrize(
    "reach",
    [
        reach_by_closure,
        reach_by_partial,
        reach_by_method,
        reach_by_default,
        reach_by_callable_object,
    ],
)
def test_layers_are_found_behind_functions(reach):
    layer = dense()
    layers, variables = tracking.find(Holder(network=reach(layer)))
    assert layers == [layer]
    assert list(variables.values()) == layer.weights


def test_layers_that_nothing_reaches_are_given():
    layer, found_too = dense(), dense()
    holder = Holder(network=found_too)
    layers, variables = tracking.find(holder, layers=[layer, found_too])
    assert layers == [layer, found_too]
    assert list(variables.values()) == layer.weights + found_too.weights


def test_layers_that_a_function_knows_as_globals_are_found():
    layers, _ = tracking.find(Holder(network=lambda x: GLOBAL_LAYER(x)))
    assert layers == [GLOBAL_LAYER]


def test_inner_layers_belong_to_the_outermost():
    inner = dense()
    outer = keras.Sequential([inner, keras.layers.Dropout(0.5, seed=0)])
    outer.build([None, 3])
    layers, variables = tracking.find(Holder(inner=inner, outer=outer))
    assert layers == [outer]
    # The state of random layers is a part of a training's state.
    names = list(variables)
    assert len(names) == 3
    assert names[-1].endswith("seed_generator_state")


def test_variables_that_only_a_call_reads_or_makes_are_found():
    hidden = tf.Variable(2.0, name="scope/hidden")
    made = []

    def call(x):
        if not made:
            made.append(tf.Variable(3.0, name="scope/made"))
        return x * hidden + made[0]

    _, variables = tracking.find(Holder(), call, [tf.TensorSpec([None])])
    assert set(variables) == {"scope.hidden", "scope.made"}
    assert variables["scope.made"].value is made[0]


def test_a_call_without_a_gradient_is_noticed():
    variable = tf.Variable(2.0)

    def call(x):
        return x * tf.stop_gradient(variable)

    with pytest.raises(ValueError, match="without any gradient"):
        tracking.find(Holder(v=variable), call, [tf.TensorSpec([None])])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # Keras numbers the layers of a process.
        (
            ["dense_5/kernel:0", "dense_7/kernel:0"],
            ["dense.kernel", "dense_1.kernel"],
        ),
        (["dense/bias", "dense_1/bias"], ["dense.bias", "dense_1.bias"]),
        (["dense_10/bias", "dense_9/bias"], ["dense_1.bias", "dense.bias"]),
        (["dense_3/kernel", "dense_3/bias"], ["dense.kernel", "dense.bias"]),
        # Counted by whoever named them.
        (["level_0/v", "level_1/v"], ["level_0.v", "level_1.v"]),
        (
            ["a_4/level_0/v", "a_4/level_2/v"],
            ["a.level_0.v", "a.level_2.v"],
        ),
        # The variable's own name is left alone.
        (["part_7", "part_9"], ["part_7", "part_9"]),
        (["scale:0", "scale:0", "scale:0"], ["scale", "scale_2", "scale_3"]),
    ],
)
def test_names_do_not_depend_on_what_else_a_process_made(names, expected):
    assert tracking.stable_names(names) == expected
