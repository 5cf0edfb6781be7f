# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Glow of normflows, trained as in its own example, on PyTorch.

That is `examples/glow_colab.ipynb` of normflows: values in [0, 1), batches of
128, Adamax with a weight decay of 1e-5 on the mean in nats, and no step where
the loss is not finite; less the classes. One channel needs nothing special.
"""

import math

import torch

from benchmarks import compare_case
from benchmarks import density_case
from benchmarks.compare_cases import normflows_glow

VERSIONS = normflows_glow.VERSIONS
MOST_STEPS = math.inf


class Model:
    """`MultiscaleFlow`; methods as of `ours.Model`."""

    def __init__(self, run, image_shape, bins):
        torch.set_num_threads(compare_case.num_cpus())
        torch.manual_seed(run.seed)
        self._flow = normflows_glow.make_flow(
            image_shape, run.num_levels, run.num_steps, run.num_filters
        )
        self._bins, self._size = bins, math.prod(image_shape)
        self._noise_seed = [run.seed, 0]
        self._optimizer = torch.optim.Adamax(
            self._flow.parameters(), lr=run.learning_rate, weight_decay=1e-5
        )

    @property
    def num_weights(self):
        return sum(p.numel() for p in self._flow.parameters())

    def initialize(self, images):
        """Nothing: the activation norms are set by the first step."""

    def train_step(self, images):
        self._noise_seed[1] += 1
        self._optimizer.zero_grad()
        loss = self._flow.forward_kld(self._values(images, self._noise_seed))
        if math.isfinite(loss.item()):
            loss.backward()
            self._optimizer.step()

    def weights(self):
        return [p.detach().clone() for p in self._flow.parameters()]

    def averages(self):
        return []

    def assign(self, weights):
        with torch.no_grad():
            for parameter, value in zip(self._flow.parameters(), weights):
                parameter.copy_(value)

    def log_prob(self, images, seed):
        with torch.no_grad():
            values = self._values(images, seed)
            log_prob = self._flow.log_prob(values, y=None).numpy()
        return log_prob - self._size * math.log(self._bins)

    def sample(self, num, seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            samples, _ = self._flow.sample(num)
        return samples.permute(0, 2, 3, 1).numpy()

    def _values(self, images, seed):
        values = density_case.dequantize(images, self._bins, seed)
        return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous()
