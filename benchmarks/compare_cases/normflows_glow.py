# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The Glow of normflows, built as in its own example, on PyTorch."""

import importlib.metadata

import normflows as nf
import torch

from benchmarks import compare_case

VERSIONS = {
    name: importlib.metadata.version(name) for name in ("normflows", "torch")
}


class Model:
    """`MultiscaleFlow` of `GlowBlock`s on trained normals, and torch's Adam."""

    def __init__(self, case, sizes, images):
        del case
        torch.set_num_threads(compare_case.num_cpus())
        torch.manual_seed(0)
        self._sizes = sizes
        self._images = self._tensor(images)
        self._flow = make_flow(
            images.shape[1:],
            sizes.num_levels,
            sizes.num_steps,
            sizes.num_filters,
        )
        self._optimizer = torch.optim.Adam(
            self._flow.parameters(), compare_case.LEARNING_RATE
        )

    @property
    def num_weights(self):
        return sum(p.numel() for p in self._flow.parameters())

    def initialize(self):
        """Nothing: the activation norms are set by the first run."""

    def train_step(self):
        """Bits per dimension before the step."""
        self._optimizer.zero_grad()
        loss = self._sizes.bits_per_dim(self._flow.forward_kld(self._images))
        loss.backward()
        self._optimizer.step()
        return loss.item()

    def log_prob(self, images):
        with torch.no_grad():
            return self._flow.log_prob(self._tensor(images), y=None).numpy()

    def sample(self):
        with torch.no_grad():
            samples, _ = self._flow.sample(self._sizes.batch_size)
            return samples.permute(0, 2, 3, 1).numpy()

    def _tensor(self, images):
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()


def make_flow(image_shape, num_levels, num_steps, num_filters):
    """Makes the flow of normflows' `examples/glow_colab.ipynb`, without classes.

    Args:
        image_shape: `(H, W, C)`; its events are `(C, H, W)`.
        num_levels: `int`, L in the paper.
        num_steps: `int`, K in the paper.
        num_filters: `int`, width of the networks.

    Returns:
        `MultiscaleFlow`.
    """
    height, width, num_channels = image_shape
    bases, merges, flows = [], [], []
    for i in range(num_levels):
        channels = num_channels * 2 ** (num_levels + 1 - i)
        blocks = [
            nf.flows.GlowBlock(
                channels, num_filters, split_mode="channel", scale=True
            )
            for _ in range(num_steps)
        ]
        flows.append([*blocks, nf.flows.Squeeze()])
        if i > 0:
            merges.append(nf.flows.Merge())
            channels //= 2
        factor = 2 ** (num_levels - i)
        bases.append(
            nf.distributions.DiagGaussian(
                (channels, height // factor, width // factor)
            )
        )
    return nf.MultiscaleFlow(bases, flows, merges, class_cond=False)
