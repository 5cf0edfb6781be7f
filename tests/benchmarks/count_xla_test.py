# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of `benchmarks.count_xla`, and of the XLA programs of training steps."""

import pytest
import tensorflow as tf

import tfp_glow as tfg
from benchmarks import count_xla

_NUM_STEPS = 3


def _program(gradient, **kwargs):
    """Returns the HLO text of a gradient of the log-density, not optimized."""
    flow = tfg.glow_distribution(
        [4, 4, 1],
        num_levels=1,
        num_steps=_NUM_STEPS,
        num_filters=5,
        gradient=gradient,
        **kwargs,
    )

    @tf.function(jit_compile=True, autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(flow.log_prob(x))
        return tape.gradient(loss, flow.trainable_variables)

    x = tf.zeros([2, 4, 4, 1])
    return step.experimental_get_compiler_ir(x)(stage="hlo")


def _in_loops(text):
    """Returns the instructions that run once for every step of the flow."""
    instructions = count_xla.Module(text).run(_NUM_STEPS)
    return [i for i, times in instructions if times == _NUM_STEPS]


@pytest.mark.parametrize("gradient", ["store", "invert"])
def test_steps_compute_in_32_bits_and_nothing_is_factorized(gradient):
    text = _program(gradient)
    assert 'custom_call_target="Qr"' not in text
    assert "f64[" in text  # The 1x1 convolutions, for all steps at once.
    assert not [i.line for i in _in_loops(text) if "f64[" in i.shape]


def test_mixed_precision_convolves_in_16_bits():
    network = tfg.networks.CouplingNetwork(dtype="mixed_bfloat16")
    loops = _in_loops(_program("invert", network=network))
    convolutions = {i.shape[:4] for i in loops if i.opcode == "convolution"}
    assert convolutions == {"bf16"}


def test_operations_of_loops_are_counted_once_for_every_step():
    def step(x, kernel, matrix):
        for _ in tf.range(2):
            x = tf.nn.conv2d(x, kernel, 1, "SAME")
        return tf.matmul(tf.reshape(x, [-1, 3]), matrix)

    function = tf.function(step, jit_compile=True)
    arguments = tf.zeros([2, 4, 4, 3]), tf.zeros([3, 3, 3, 3]), tf.zeros([3, 5])
    text = function.experimental_get_compiler_ir(*arguments)(stage="hlo")
    pixels = 2 * 4 * 4
    convolution = 2 * pixels * 3 * 9 * 3
    expected = 2 * convolution + 2 * pixels * 3 * 5
    assert count_xla.flops(text, num_steps=2) == expected


def test_kernels_and_bytes_of_a_compiled_module():
    text = """HloModule step

%body_of_fusion (stack: f32[4,8], k: s32[]) -> f32[1,8] {
  %stack = f32[4,8]{1,0} parameter(0)
  %k = s32[] parameter(1)
  %zero = s32[] constant(0)
  ROOT %slice.1 = f32[1,8]{1,0} dynamic-slice(%stack, %k, %zero)
}

%body (p: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %p = (s32[], f32[4,8]{1,0}) parameter(0)
  %k.1 = s32[] get-tuple-element(%p), index=0
  %stack.1 = f32[4,8]{1,0} get-tuple-element(%p), index=1
  %slice = f32[1,8]{1,0} fusion(%stack.1, %k.1), calls=%body_of_fusion
  ROOT %next = (s32[], f32[4,8]{1,0}) tuple(%k.1, %stack.1)
}

ENTRY %main (x: f64[3], s: (s32[], f32[4,8])) -> f64[3] {
  %x = f64[3]{0} parameter(0)
  %s = (s32[], f32[4,8]{1,0}) parameter(1)
  %loop = (s32[], f32[4,8]{1,0}) while(%s), condition=%c, body=%body
  ROOT %y = f64[3]{0} add(%x, %x)
}
"""
    kernels, traffic = count_xla.count(text, num_steps=4)
    assert kernels == {"slices of stacks": 4, "float64": 1}
    # A slice reads what it writes, not the stack.
    assert traffic == {"slices of stacks": 4 * (32 + 32 + 4), "float64": 72}
