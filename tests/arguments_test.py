# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `tfp_glow._arguments`: errors that name the nearest arguments."""

import inspect

import pytest

import tfp_glow as tfg
from tests.models import tiny


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (
            "GlowModel",
            dict(num_level=2),
            "'num_level'. Did you mean 'num_levels'",
        ),
        ("GlowModel", dict(num_clases=2), "Did you mean 'num_classes'"),
        ("GlowModel", dict(conditioning=3), "'conditioning_size'"),
        ("GlowModel", dict(foo=3), "Expected one of .*'bins'.*'num_steps'"),
        ("Glow", dict(filters=2), "Did you mean 'num_filters'"),
        ("glow_distribution", dict(num_step=2), "Did you mean 'num_steps'"),
        ("vector_flow", dict(num_step=2), "Did you mean 'num_steps'"),
        ("Squeeze", dict(factr=2), "Did you mean 'factor'"),
        ("Spline", dict(num_bin=3), "Did you mean 'num_bins'"),
        ("AffineCoupling.trainable", dict(num_filter=3), "'num_filters'"),
        ("networks.CouplingNetwork", dict(num_filter=3), "'num_filters'"),
        ("recipe.make_optimizer", dict(learning_rat=1), "'learning_rate'"),
    ],
)
def test_an_unknown_argument_is_an_error_that_names_the_nearest(
    function, arguments, message
):
    value = tfg
    for name in function.split("."):
        value = getattr(value, name)
    takes_shape = {"image_shape", "event_shape", "event_size"}
    positional = [[8, 8, 1]] * bool(
        takes_shape & {*inspect.signature(value).parameters}
    )
    with pytest.raises((TypeError, ValueError), match=message):
        value(*positional, **arguments)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("sample", dict(n=2, temprature=1), "Did you mean 'temperature'"),
        ("decode", dict(latents=None, label=1), "Expected one of"),
        ("fit", dict(epoch=2), "Did you mean 'epochs'"),
        ("fit", dict(init_batch=2), "Did you mean 'init_batches'"),
    ],
)
def test_methods_of_models_name_the_nearest_argument(
    method, arguments, message
):
    model = tiny.model()
    with pytest.raises(TypeError, match=message):
        getattr(model, method)(**arguments)


def test_errors_within_a_function_stay_as_they_are():
    with pytest.raises(TypeError) as error:
        tfg.vector_flow(2, num_steps=1, num_filters=4).log_prob(foo=1)
    assert "vector_flow" not in str(error.value)


def test_signatures_stay_as_they_are():
    names = list(inspect.getfullargspec(tfg.Squeeze.__init__).args)
    assert names == ["self", "factor", "validate_args", "name"]


@pytest.mark.parametrize(
    "make",
    [
        lambda shape: tfg.GlowModel(shape),
        lambda shape: tfg.glow_distribution(shape),
        lambda shape: tfg.AffineCoupling.trainable(shape),
        lambda shape: tfg.NoiseFlow.trainable(shape),
    ],
)
@pytest.mark.parametrize("shape", [8, None, "8x8", [8, 8], [8.5, 8, 1]])
def test_another_shape_is_an_error(make, shape):
    with pytest.raises(ValueError, match=r"_shape`\. Expected.*_shape="):
        make(shape)


def test_completion_shows_the_public_names_only():
    shown = [name for name in dir(tfg) if not name.startswith("__")]
    assert shown == tfg.__all__ == sorted([*tfg._NAMES, *tfg._MODULES])
    assert "__version__" in dir(tfg)
    tfg.models  # noqa: B018  # A subpackage is loaded, and still not shown.


def test_a_typo_in_a_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="GlowModle"):
        tfg.GlowModle  # noqa: B018
