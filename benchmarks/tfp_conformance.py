# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Runs TFP's own property tests of bijectors on the bijectors of tfp_glow.

`python benchmarks/tfp_conformance.py --tfp=FOLDER`, where the folder is a clone
of https://github.com/tensorflow/probability, with `pip install hypothesis`. The
tests are those of `bijector_properties_test.py` there; TFP itself is the one
that is installed. They draw parameters, shapes and values at random, and check
gradients, log-dets, dtypes, batch shapes, slices, composite tensors, hashes and
`tf.vectorized_map`, in eager mode and in graphs. The program prints a line for
every test and bijector, and fails if a test does.

`EXCLUDED` lists the tests that do not run, each with the reason.
"""

import collections
import functools
import importlib.util
import os
import pathlib
import re
import sys
import unittest

import tensorflow as tf
import tensorflow_probability as tfp
from absl import app
from absl import flags
from absl import logging

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tfp_glow as tfg

tfb = tfp.bijectors

_TFP = flags.DEFINE_string("tfp", None, "clone of TFP's repository")
_EXAMPLES = flags.DEFINE_integer("examples", 5, "examples of every test")
_ONLY = flags.DEFINE_string(
    "only", "", "regular expression of the names of tests to run"
)


class Network(tf.Module):
    """A network of a coupling: `outputs` numbers for each of two inputs."""

    def __init__(self, outputs):
        super().__init__()
        random = tf.random.stateless_normal([2, 2 * outputs], [0, outputs])
        self.kernel = tf.Variable(random, name="kernel")

    def __call__(self, x):
        return tf.tanh(tf.linalg.matmul(x, self.kernel))


def _coupling(cls, outputs):
    def make(validate_args=False):
        return cls(Network(outputs), event_ndims=1, validate_args=validate_args)

    return make


def _step(p):
    return tfb.Chain(
        [
            tfg.ActNorm(p["shift"], p["log_scale"]),
            tfg.ActNorm(p["log_scale"], p["shift"]),
        ]
    )


def _repeated(validate_args=False):
    parameters = {
        "shift": tf.Variable(tf.fill([3, 4], 0.2), name="shift"),
        "log_scale": tf.Variable(tf.fill([3, 4], 0.1), name="log_scale"),
    }
    return tfg.Repeated(_step, parameters, validate_args=validate_args)


def _glow(validate_args=False):
    return tfg.Glow(
        [4, 4, 3],
        1,
        2,
        4,
        seed=0,
        gradient="invert",
        validate_args=validate_args,
    )


# A constructor whose arguments TFP draws, or a function without.
BIJECTORS = {
    "ActNorm": tfg.ActNorm,
    "Invertible1x1Conv": tfg.Invertible1x1Conv,
    "FullInvertible1x1Conv": tfg.FullInvertible1x1Conv,
    "Squeeze": tfg.Squeeze,
    "AffineCoupling": _coupling(tfg.AffineCoupling, 2),
    "SplineCoupling": _coupling(tfg.SplineCoupling, 23),
    "MixtureCoupling": _coupling(tfg.MixtureCoupling, 14),
    "Repeated": _repeated,
    "Glow": _glow,
}
# Event shapes of inputs and outputs, of bijectors that do not take any.
EVENT_SHAPES = {
    "Squeeze": ([4, 6, 2], [2, 3, 8]),
    "Repeated": ([4], [4]),
    "Glow": ([48], [4, 4, 3]),
    "AffineCoupling": ([4], [4]),
    "SplineCoupling": ([4], [4]),
    "MixtureCoupling": ([4], [4]),
}
_HOLD_FUNCTIONS = (
    "AffineCoupling",
    "SplineCoupling",
    "MixtureCoupling",
    "Repeated",
    "Glow",
)
# The reasons, by test and bijector.
EXCLUDED = {
    (
        "testBijector",
        "Glow",
    ): "some variables do not influence log-dets, and TFP's table of those "
    "tells them by names, which other variables of a Glow share",
    **{
        ("testCompositeTensor", name): "holds functions, so it is not composite"
        for name in _HOLD_FUNCTIONS
    },
    **{
        (
            "testParameterProperties",
            name,
        ): "the test makes it from tensors, and not from its functions"
        for name in _HOLD_FUNCTIONS
    },
    **{
        (test, name): "two constructions have two sets of variables"
        for test in ("testEquality", "testHashing")
        for name in _HOLD_FUNCTIONS
    },
}


def main(_):
    if not _TFP.value:
        raise app.UsageError("Expected --tfp=FOLDER, a clone of TFP")
    # TFP reports the time of every test.
    logging.set_verbosity(logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    suite = load_suite(pathlib.Path(_TFP.value), _EXAMPLES.value)
    counts = collections.Counter()
    failures = []
    for case in (suite.BijectorPropertiesTest, suite.BijectorSlicingTest):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(case):
            if not re.search(_ONLY.value, test.id()):
                continue
            outcome, detail = run(test)
            counts[outcome] += 1
            name = test.id().split(".")[-1]
            print(f"{outcome:9}{name}{detail and ': '}{detail}", flush=True)
            failures += [name] * (outcome == "failed")
    print(", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items())))
    return len(failures) > 0


def run(test):
    """Returns how a test ended, and why it did not pass."""
    name = test.id().split(".")[-1]
    for (part, bijector), reason in EXCLUDED.items():
        if name.startswith(f"{part}{bijector}_"):
            return "excluded", reason
    result = unittest.TestResult()
    test.run(result)
    for _, reason in result.skipped:
        return "skipped", reason
    for _, trace in [*result.errors, *result.failures]:
        # Hypothesis adds lines about the example after the error.
        lines = [
            x for x in trace.splitlines() if re.match(r"\W*[\w.]+Error", x)
        ]
        return "failed", (lines or trace.strip().splitlines())[-1].strip()
    return "passed", ""


def load_suite(folder, num_examples):
    """Returns TFP's module of tests, which draw the bijectors from ours."""
    os.environ["TFP_HYPOTHESIS_MAX_EXAMPLES"] = str(num_examples)
    hps = _load(folder, "internal.hypothesis_testlib")
    library = _load(folder, "bijectors.hypothesis_testlib")
    supports = library.bijector_supports()
    library.INSTANTIABLE_BIJECTORS.clear()
    for name, make in BIJECTORS.items():
        setattr(tfb, name, make)
        properties = {}
        if isinstance(make, type):
            properties = make.parameter_properties()
        library.INSTANTIABLE_BIJECTORS[name] = library.BijectorInfo(
            make, {k: p.event_ndims for k, p in properties.items()}
        )
        supports[name] = library.BijectorSupport(
            *[hps.Support.SCALAR_UNCONSTRAINED] * 2
        )
    suite = _load(folder, "bijectors.bijector_properties_test")
    suite.CONSTRAINTS.update(
        {
            # Larger scales overflow in float32.
            "log_scale": tf.tanh,
            "log_diagonal": tf.tanh,
            "sign": lambda x: tf.where(x < 0.0, -1.0, 1.0),
            "kernel": hps.lower_tril_positive_definite,
        }
    )
    # A log-det depends on the scales, as TFP's table also says of `tfb.Shift`.
    both = {suite.FLDJ, suite.ILDJ}
    suite.NO_LDJ_GRADS_EXPECTED.update(
        ActNorm={"shift": both},
        Invertible1x1Conv=dict.fromkeys(("lower", "upper", "sign"), both),
    )
    for i, direction in enumerate(("forward", "inverse")):
        function = f"constrain_{direction}_shape"
        original = getattr(suite, function)
        setattr(suite, function, functools.partial(_constrain, original, i))
    return suite


def _constrain(original, index, bijector, shape):
    """Returns the event shape that a bijector needs."""
    if type(bijector).__name__ in EVENT_SHAPES:
        return tf.TensorShape(EVENT_SHAPES[type(bijector).__name__][index])
    return original(bijector, shape)


def _load(folder, name):
    """Imports a module of TFP that its wheel does not contain."""
    name = f"tensorflow_probability.python.{name}"
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    app.run(main)
