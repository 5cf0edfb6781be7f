# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes XLA programs of models, which JAX can run and time.

`python benchmarks/export_xla.py --out=runs/xla` writes, for this project's Glow
with networks of 32 and of 16 bits and for `tfb.Glow`, three programs: a training
step (log-density, gradient and Adam), `log_prob` and `sample`. It also writes
their inputs, photographs to train on, and the first losses that TensorFlow
computes without XLA. `benchmarks/run_xla.py` runs the programs on any device and
`benchmarks/count_xla.py` counts the kernels of a GPU. They need only JAX and NumPy.
"""

import gzip
import io
import json
import math
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf
from absl import app
from absl import flags

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from benchmarks import compare_case
from benchmarks import count_xla
from benchmarks import xla_inputs
from benchmarks.compare_cases import ours
from benchmarks.compare_cases import tfb_glow
from tfp_glow import _files
from tfp_glow.datasets import photos
from tfp_glow.networks import convolution

_CASES = flags.DEFINE_list(
    "cases",
    [
        "store",
        "store_bfloat16",
        "store_products",
        "store_bfloat16_products",
        "invert",
        "invert_bfloat16",
        "tfb_glow",
    ],
    "cases to export: `tfb_glow`, or a way to compute gradients, then "
    "`_bfloat16` for networks of 16 bits, then `_products` if gradients of "
    "convolutions are matrix products",
)
_OUT = flags.DEFINE_string("out", "runs/xla", "folder to write")
_NUM_STEPS = flags.DEFINE_integer("num_steps", 32, "steps per level, K")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "images per batch")
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 512, "width of the networks, W"
)
_IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "side length of the images"
)
_NUM_LEVELS = flags.DEFINE_integer("num_levels", 3, "number of levels, L")
_TENSOR_FLOAT_32 = flags.DEFINE_bool(
    "tensor_float_32",
    True,
    "allow products of 10 bits on GPUs, as TensorFlow does by default",
)
_NUM_LOSSES = flags.DEFINE_integer(
    "num_losses",
    1,
    "training steps to run here for the expected losses; slow for wide models",
    lower_bound=0,
)


def make_step(case, model):
    """Returns a training step of a `compare_cases` model, and its optimizer."""
    if case == "tfb_glow":
        return model._train_step.python_function, None
    keras_model = model._model
    variables = keras_model.trainable_variables
    # `run_xla` warms up, so the learning rate must be a variable.
    config = keras_model.optimizer.get_config()
    config["learning_rate"] = compare_case.LEARNING_RATE
    optimizer = type(keras_model.optimizer).from_config(config)
    optimizer.build(variables)

    def step(images):
        with tf.GradientTape() as tape:
            nats = -tf.reduce_mean(keras_model.distribution.log_prob(images))
            loss = nats / (keras_model.event_size * math.log(2.0))
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply(gradients, variables)
        return loss

    return step, optimizer


def export(function, x, noise, optimizer=None):
    """Lowers a function of one tensor to an XLA program.

    Args:
        function: callable from `x` to a `Tensor`, which may update variables.
        x: `Tensor`, the first input of the program.
        noise: dictionary of the kernels that are noise, from the identities of
            their handles to the arguments of `xla_inputs.draw`. Kernels that
            are missing are replaced by noise and added.
        optimizer: Keras optimizer that the function calls. Its operations may
            change variables that the function does not read.

    Returns:
        Dictionary of the contents of files by their names.
    """
    function = tf.function(function, jit_compile=True, autograph=False)
    concrete = function.get_concrete_function(x)
    variables = list(concrete.graph.variables)
    if optimizer is not None:
        variables += [v.value for v in optimizer.variables]
    variables = {id(v.handle): v for v in variables}
    inputs, kernels, rate = {0: x.numpy()}, {}, None
    for captured in concrete.captured_inputs:
        variable = variables.get(id(captured))
        if variable is None and captured.dtype.is_integer:
            continue  # Sizes and axes are part of the program.
        value = captured.numpy() if variable is None else variable.numpy()
        number = len(inputs) + len(kernels)
        if variable is not None and "learning_rate" in variable.name:
            rate = number
        if variable is not None and xla_inputs.is_kernel(value):
            key = id(captured)
            noise[key] = noise.get(key) or xla_inputs.replace(variable, number)
            kernels[number] = noise[key]
        else:
            inputs[number] = value
    ir = function.experimental_get_compiler_ir(x)
    archive = io.BytesIO()
    np.savez_compressed(archive, **{str(i): x for i, x in inputs.items()})
    facts = {
        "num_steps": _NUM_STEPS.value,
        "flops": count_xla.flops(ir(stage="hlo"), _NUM_STEPS.value),
        "learning_rate": rate,
    }
    return {
        "program.hlo.gz": gzip.compress(ir(stage="hlo_serialized")),
        "inputs.npz": archive.getvalue(),
        "kernels.json": json.dumps(kernels).encode(),
        "facts.json": json.dumps(facts).encode(),
    }


def _write(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, content in files.items():
        with _files.replacing(os.path.join(folder, name)) as temporary:
            pathlib.Path(temporary).write_bytes(content)
    print(folder, flush=True)


def main(_):
    sizes = compare_case.Sizes(
        num_steps=_NUM_STEPS.value,
        batch_size=_BATCH_SIZE.value,
        num_filters=_NUM_FILTERS.value,
        image_size=_IMAGE_SIZE.value,
        num_levels=_NUM_LEVELS.value,
    )
    photographs = [photos.photograph(n) for n in photos.PHOTOGRAPHS["train"]]
    archive = io.BytesIO()
    np.savez_compressed(archive, *photographs)
    _write(_OUT.value, {"photographs.npz": archive.getvalue()})
    shape = sizes.batch_size, sizes.image_size
    [images] = xla_inputs.batches(photographs, shape, 1)
    latents = np.random.default_rng(0).standard_normal(
        (sizes.batch_size, sizes.event_size), np.float32
    )
    tf.config.experimental.enable_tensor_float_32_execution(
        _TENSOR_FLOAT_32.value
    )
    for case in _CASES.value:
        with convolution.as_products("products" in case):
            _export_case(case, sizes, images, latents)


def _export_case(case, sizes, images, latents):
    module = tfb_glow if case == "tfb_glow" else ours
    model = module.Model(case, sizes, images)
    flow = model.distribution
    noise = {
        id(variable.handle): xla_inputs.replace(variable, number)
        for number, variable in enumerate(flow.trainable_variables)
        if xla_inputs.is_kernel(variable.numpy())
    }
    model.initialize()
    model.log_prob(images)  # `tfb.Glow` initializes in its first run.
    folder = os.path.join(_OUT.value, case)
    step, optimizer = make_step(case, model)
    for name, function, x, updates in (
        ("step", step, images, optimizer),
        ("log_prob", lambda x: flow.log_prob(x), images, None),
        ("sample", lambda x: flow.bijector.forward(x), latents, None),
    ):
        files = export(function, tf.constant(x), noise, updates)
        _write(os.path.join(folder, name), files)
    losses = [model.train_step() for _ in range(_NUM_LOSSES.value)]
    _write(folder, {"losses.json": json.dumps(losses).encode()})


if __name__ == "__main__":
    app.run(main)
