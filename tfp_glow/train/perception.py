# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""The commands of `python -m tfp_glow perception`, as functions.

See `commands`. The commands print how files were converted. All but `report`
write a folder, in which `result.json` has the arguments and the numbers. Files of
the same names in it are replaced, and if a command fails it stays as it was.
"""

import contextlib
import json
import math
import os
import sys
import typing

import numpy as np

from tfp_glow import _lazy
from tfp_glow.train import commands

# The command line reads the flags without waiting for these.
_checks = _lazy.module("tfp_glow._checks")
density_ = _lazy.module("tfp_glow.analysis.density")
perception = _lazy.module("tfp_glow.analysis.perception")
images = _lazy.module("tfp_glow.analysis.perception.images")
glow_model = _lazy.module("tfp_glow.models.glow_model")
presets = _lazy.module("tfp_glow.models.presets")
saving = _lazy.module("tfp_glow.models.saving")

_Property = typing.Literal["brightness", "saturation", "hue"]
_DPI = 120


def match(
    image: str,
    mask_a: str,
    mask_b: str,
    property: _Property = "brightness",
    model: str = "photo_patches",
    temperature: float | None = None,
    num_draws: int = 16,
    noise: float = 0.0,
    target_share: float = 1 / 3,
    seed: int = 0,
    out: str = "perception_match",
):
    """Changes a region of a photograph to look as another.

    If percentile ranks predict how a region looks, then region b with the rank
    of region a looks as region a does. Writes the photograph with the changed
    region, adjusted.png, and match.png. Returns the `Match`.

    Args:
        image: photograph.
        mask_a: picture of the photograph's size, white in region a.
        mask_b: the same for region b, which is changed.
        property: brightness, saturation or hue, as in HSV.
        model: name or folder of a preset, folder of a run, or .keras file.
        temperature: temperature of the percentile ranks (default: D ln 2, for
            patches of D values).
        num_draws: draws of the noise, over which the likelihood is averaged.
        noise: standard deviation of noise that is added to the patches, in gray
            levels of 256.
        target_share: longer side of a region as a share of the model's patch,
            to which the photograph is scaled.
        seed: random seed of the noise.
        out: folder to write.
    """
    arguments = dict(locals())
    model = _open(model)
    photograph = _read_image(image)
    masks = [_read_mask(path, photograph) for path in (mask_a, mask_b)]
    images.check_masks(*masks)
    a, b = _patches(model, image, photograph, masks, property, target_share)
    with _writing(out, arguments) as write:
        result = perception.match_percentile(
            model,
            a,
            b,
            temperature,
            num_draws=num_draws,
            noise=noise,
            seed=seed,
        )
        adjusted = result.adjusted(photograph, masks[1])
        for name, rank in (("a", result.a), ("b", result.b)):
            print(f"region {name}: {_describe(rank)}")
        print(
            f"region b with the rank of a: {property} "
            f"{_with_error(result.value, result.standard_error)}, "
            f"{result.change_percent:+.1f} %"
        )
        write("match.png", result, **{"adjusted.png": adjusted})
    return result


def curve(
    image: str,
    mask: str,
    property: _Property = "brightness",
    model: str = "photo_patches",
    temperature: float | None = None,
    num_draws: int = 16,
    noise: float = 0.0,
    target_share: float = 1 / 3,
    seed: int = 0,
    out: str = "perception_curve",
):
    """Shows how likely a region's possible values are.

    Writes curve.png. Returns the `PercentileRank`.

    Args:
        image, property, model, temperature, num_draws: see `match`.
        mask: picture of the photograph's size, white in the region.
        noise, target_share, seed, out: see `match`.
    """
    arguments = dict(locals())
    model = _open(model)
    photograph = _read_image(image)
    masks = [_read_mask(mask, photograph)]
    [patch] = _patches(model, image, photograph, masks, property, target_share)
    with _writing(out, arguments) as write:
        result = perception.percentile_rank(
            model,
            patch,
            temperature,
            num_draws=num_draws,
            noise=noise,
            seed=seed,
        )
        best = result.curve.values[np.argmin(result.curve.bits_per_dim)]
        print(f"region: {_describe(result)}")
        print(f"most likely {property}: {best:.3f}")
        write("curve.png", result)
    return result


def map(
    image: str,
    model: str = "photo_patches",
    stride: int = 1,
    num_draws: int = 1,
    seed: int = 0,
    out: str = "perception_map",
):
    """Shows how likely the parts of a photograph are.

    Writes map.png, the overlay in the photograph's size, overlay.png, and the
    values, bits_per_dim.npy. Returns the `LikelihoodMap`.

    Args:
        image, model, num_draws, seed, out: see `match`.
        stride: pixels from one patch to the next.
    """
    arguments = dict(locals())
    model = _open(model)
    photograph = _read_image(image)
    with _writing(out, arguments) as write:
        result = perception.likelihood_map(
            model, photograph, stride, num_draws, seed, _shows_progress()
        )
        _print_notes(image, result.notes)
        numbers = result.to_dict()
        bits = numbers["bits_per_dim"]
        print(
            f"{numbers['num_patches']} patches: mean {bits['mean']:.3f} bits "
            f"per dimension, from {bits['min']:.3f} to {bits['max']:.3f}"
        )
        if share := result.non_finite_share:
            print(f"{100 * share:.3g} % of the patches are not finite.")
        pictures = {"overlay.png": result.overlay()}
        arrays = {"bits_per_dim.npy": result.bits_per_dim}
        write("map.png", result, **pictures, **arrays)
    return result


def enhance(
    image: str,
    mask: str | None = None,
    eta: float = 0.6,
    model: str = "photo_patches",
    stride: int = 1,
    out: str = "perception_enhance",
):
    """Makes latent vectors of a photograph more likely.

    Writes the changed photograph, enhanced.png, and enhance.png. Returns the
    `Enhanced`.

    Args:
        image, model, stride, out: see `map`.
        mask: picture of the photograph's size, white where it is kept.
        eta: size of the change; below 0 the latent vectors become less likely.
    """
    arguments = dict(locals())
    model = _open(model)
    photograph = _read_image(image)
    if mask is not None:
        mask = _read_mask(mask, photograph)
    with _writing(out, arguments) as write:
        result = perception.enhance(
            model, photograph, mask, eta, stride, _shows_progress()
        )
        _print_notes(image, result.notes)
        print(
            f"bits per dimension: {result.bits_per_dim_before:.3f} before, "
            f"{result.bits_per_dim_after:.3f} after\n"
            f"decoded values: {100 * result.non_finite_share:.3g} % not "
            f"finite, {100 * result.clipped_share:.3g} % clipped"
        )
        if result.num_filled:
            print(f"{result.num_filled} pixels show the photograph instead.")
        write("enhance.png", result, **{"enhanced.png": result.image})
    return result


def report(
    out: str = "perception.html",
    gray: str = "photo_patches_grey",
    color: str = "photo_patches",
):
    """Writes a page that studies six illusions.

    Returns its numbers.

    Args:
        out: .html file to write.
        gray: models of gray patches, one or several of other seeds, separated
            by commas. Each is the name or the folder of a preset, the folder of
            a run, or a .keras file.
        color: the same for RGB patches.
    """
    models = [_open_all("gray", gray, 1), _open_all("color", color, 3)]
    print("Comparing the models, which takes minutes.", flush=True)
    numbers = perception.write_report(out, *models)
    print(f"Wrote {out}", flush=True)
    return numbers


def _open(model):
    """Returns a model by the argument `model` of the commands."""
    path = os.path.expanduser(model)
    if path.endswith(".keras"):
        return saving.load_model(path)
    is_run = os.path.exists(os.path.join(path, "model.keras"))
    if is_run and model not in presets.names():
        return saving.load_model(os.path.join(path, "model.keras"))
    return glow_model.GlowModel.from_preset(model)


def _open_all(argument, names, num_channels):
    """Returns models by their names, separated by commas, or raises."""
    models = [_open(name) for name in names.split(",")]
    for model in models:
        if density_.of(model).image_shape[2] != num_channels:
            expected = f"models of images with {num_channels} channels"
            raise _checks.invalid_value(argument, names, expected)
    return models


def _read_image(path):
    image, notes = images.read_image(path)
    _print_notes(path, notes)
    return image


def _read_mask(path, image):
    mask, notes = images.read_mask(path, image)
    # That a mask is gray is as it should be.
    _print_notes(path, [note for note in notes if "gray" not in note])
    return mask


def _print_notes(path, notes):
    for note in notes:
        print(f"{path}: {note}")


def _patches(model, path, image, masks, property, target_share):
    """Returns the patches of regions, as the model sees them."""
    size, _, num_channels = density_.of(model).image_shape
    # The other properties need RGB, which the error of a gray model says.
    if property == "brightness" and num_channels == 1:
        image, notes = images.for_model(image, num_channels)
        _print_notes(path, notes)
    return [
        perception.Patch.from_image(image, mask, size, property, target_share)
        for mask in masks
    ]


def _describe(rank):
    patch = rank.curve.patch
    return (
        f"{patch.property} {patch.value:.3f}, percentile rank "
        f"{_with_error(rank.rank, rank.standard_error)} at the temperature "
        f"{rank.temperature:.4g}, {rank.rank_at_1:.3f} at 1"
    )


def _with_error(value, error):
    text = f"{value:.3f}"
    # A single draw of the noise has no standard error.
    return text if math.isnan(error) else f"{text} (standard error {error:.2g})"


def _shows_progress():
    return sys.stdout.isatty()  # Elsewhere every update would be a line.


@contextlib.contextmanager
def _writing(out, arguments):
    """Yields a function that writes a result's files to the folder `out`."""
    with commands.output_folder(out) as folder:

        def write(plot, result, **files):
            result.plot().savefig(os.path.join(folder, plot), dpi=_DPI)
            for name, array in files.items():
                path = os.path.join(folder, name)
                if name.endswith(".npy"):
                    np.save(path, array)
                else:
                    images.write_image(path, array)
            numbers = {"arguments": arguments, **result.to_dict()}
            # JSON has neither NaN, the standard error of one draw, nor infinity.
            numbers = json.loads(
                json.dumps(numbers), parse_constant=lambda _: None
            )
            with open(os.path.join(folder, "result.json"), "w") as file:
                json.dump(numbers, file, indent=2)
                file.write("\n")

        yield write
