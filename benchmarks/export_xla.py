# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes XLA programs of one training step, which JAX can run and time.

`python benchmarks/export_xla.py --out=runs/xla` writes, for this project's Glow
and for `tfb.Glow`, the program of a step (log-density, gradient and Adam), its
inputs, and the first losses that TensorFlow computes without XLA.
`benchmarks/run_xla.py` runs them on any device. It needs only JAX and NumPy.
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
from benchmarks import xla_inputs
from benchmarks.compare_cases import ours
from benchmarks.compare_cases import tfb_glow
from tfp_glow import _files

_CASES = flags.DEFINE_list(
    "cases", ["invert", "recompute", "store", "tfb_glow"], "cases to export"
)
_OUT = flags.DEFINE_string("out", "runs/xla", "folder to write")
_NUM_STEPS = flags.DEFINE_integer("num_steps", 32, "steps per level, K")
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "images per training step")
_NUM_FILTERS = flags.DEFINE_integer(
    "num_filters", 64, "width of the networks, W"
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
    3,
    "training steps to run here for the expected losses; slow for wide models",
    lower_bound=0,
)


def make_step(case, model):
    """Returns the function of one training step of a `compare_cases` model."""
    if case == "tfb_glow":
        return model._train_step.python_function
    keras_model = model._model
    variables = keras_model.trainable_variables
    keras_model.optimizer.build(variables)

    def step(images):
        with tf.GradientTape() as tape:
            nats = -tf.reduce_mean(keras_model.distribution.log_prob(images))
            loss = nats / (keras_model.event_size * math.log(2.0))
        gradients = tape.gradient(loss, [v.value for v in variables])
        keras_model.optimizer.apply(gradients, variables)
        return loss

    return step


def export(step, image):
    """Writes the program of a step, with noise in place of the kernels.

    Args:
        step: callable from a batch of images to a loss, which also updates
            variables.
        image: `Tensor`, the batch.

    Returns:
        Tuple of the serialized program, `bytes`, of its inputs by their number,
        a dictionary of arrays, and of those that are drawn, as `xla_inputs`
        describes them. The first input is the batch.
    """
    function = tf.function(step, jit_compile=True, autograph=False)
    concrete = function.get_concrete_function(image)
    by_handle = {id(v.handle): v for v in concrete.graph.variables}
    inputs, kernels = {0: image.numpy()}, {}
    for captured in concrete.captured_inputs:
        variable = by_handle.get(id(captured))
        if variable is None and captured.dtype.is_integer:
            continue  # Sizes and axes are part of the program.
        value = captured.numpy() if variable is None else variable.numpy()
        number = len(inputs) + len(kernels)
        if variable is not None and xla_inputs.is_kernel(value):
            kernels[number] = xla_inputs.describe(value, number)
            variable.assign(xla_inputs.draw(**kernels[number]))
        else:
            inputs[number] = value
    ir = function.experimental_get_compiler_ir(image)
    return ir(stage="hlo_serialized"), inputs, kernels


def main(_):
    sizes = compare_case.Sizes(
        num_steps=_NUM_STEPS.value,
        batch_size=_BATCH_SIZE.value,
        num_filters=_NUM_FILTERS.value,
        image_size=_IMAGE_SIZE.value,
        num_levels=_NUM_LEVELS.value,
    )
    images = sizes.images()
    tf.config.experimental.enable_tensor_float_32_execution(
        _TENSOR_FLOAT_32.value
    )
    for case in _CASES.value:
        module = tfb_glow if case == "tfb_glow" else ours
        model = module.Model(case, sizes, images)
        model.initialize()
        model.log_prob(images)  # `tfb.Glow` initializes in its first run.
        program, inputs, kernels = export(
            make_step(case, model), tf.constant(images)
        )
        losses = [model.train_step() for _ in range(_NUM_LOSSES.value)]
        folder = os.path.join(_OUT.value, case)
        os.makedirs(folder, exist_ok=True)
        archive = io.BytesIO()
        np.savez_compressed(archive, **{str(i): x for i, x in inputs.items()})
        for name, content in {
            "step.hlo.gz": gzip.compress(program),
            "inputs.npz": archive.getvalue(),
            "kernels.json": json.dumps(kernels).encode(),
            "losses.json": json.dumps(losses).encode(),
        }.items():
            with _files.replacing(os.path.join(folder, name)) as temporary:
                pathlib.Path(temporary).write_bytes(content)
        print(f"{folder}: {len(program):,} bytes, losses {losses}", flush=True)


if __name__ == "__main__":
    app.run(main)
