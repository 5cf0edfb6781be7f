# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""`make_folder`: a folder of 60 files as people have them, for the tests."""

import pathlib
import sys

import numpy as np
import PIL.Image
import skimage.data
import tensorflow as tf

_COLOR = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field")
_GRAY = ("camera", "coins", "moon")
_ORIENTATION = 0x0112
# Values of this EXIF tag, and how cameras store the pixels then.
_STORED = {
    3: PIL.Image.Transpose.ROTATE_180,
    6: PIL.Image.Transpose.ROTATE_90,
    8: PIL.Image.Transpose.ROTATE_270,
}


def make_folder(path):
    """Writes 60 files, of which 58 are photographs, some in subfolders.

    Their sides have 60 to 320 pixels. 34 are JPEG, of which 6 are turned by
    EXIF, 5 are gray, and 1 is CMYK; 14 are PNG, of which 4 have an alpha channel
    and 4 have 16 bits, 2 of these gray; 4 are WebP, 2 TIFF, 1 BMP, 1 AVIF and 2
    GIF, of which 1 is animated. One of the other files is half a JPEG, the other
    is a text called notes.png.
    """
    path = pathlib.Path(path)
    random = np.random.RandomState(0)
    color = [getattr(skimage.data, name)() for name in _COLOR]
    gray = [getattr(skimage.data, name)() for name in _GRAY]

    def photograph(sources=color):
        source = sources[random.randint(len(sources))]
        height, width = random.randint(120, 400, 2)
        top = random.randint(max(1, len(source) - height))
        left = random.randint(max(1, source.shape[1] - width))
        crop = source[top : top + height, left : left + width]
        image = PIL.Image.fromarray(crop)
        factor = random.uniform(0.5, 0.8)
        return image.resize([int(factor * n) for n in image.size])

    def save(image, name, **options):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        image.save(file, **options)
        return file

    for i in range(22):
        save(photograph(), f"DSC_{i + 1:04}.JPG")
    for i, (orientation, transpose) in enumerate(2 * [*_STORED.items()]):
        exif = PIL.Image.Exif()
        exif[_ORIENTATION] = orientation
        image = photograph().transpose(transpose)
        save(image, f"phone/IMG_{i:04}.jpg", exif=exif)
    for i in range(5):
        save(photograph(gray), f"old/scan {i}.jpeg")
    save(photograph().convert("CMYK"), "old/print.jpg")
    for i in range(6):
        save(photograph(), f"screenshots/{i}.png")
    for i in range(4):
        image = photograph().convert("RGBA")
        alpha = np.zeros([image.height, image.width], np.uint8)
        alpha[10:-10, 10:-10] = 255
        image.putalpha(PIL.Image.fromarray(alpha))
        save(image, f"screenshots/cut out {i}.png")
    for i in range(4):
        pixels = np.asarray(photograph(gray if i < 2 else color))
        pixels = pixels.reshape(*pixels.shape[:2], -1).astype(np.uint16) * 257
        png = tf.io.encode_png(pixels).numpy()
        (path / f"screenshots/wide {i}.png").write_bytes(png)
    for i in range(4):
        save(photograph(), f"web/2026/{i}.webp")
    for i in range(2):
        save(photograph(), f"old/scan {i}.tif")
    save(photograph(), "old/paint.bmp")
    save(photograph(), "web/still.gif")
    save(photograph(), "web/new.avif")
    frames = [photograph().resize([90, 70]) for _ in range(3)]
    save(frames[0], "web/moving.gif", save_all=True, append_images=frames[1:])
    broken = save(photograph(), "phone/IMG_0006.jpg")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    (path / "notes.png").write_text("Pictures of the year, sorted by place.\n")


if __name__ == "__main__":
    make_folder(sys.argv[1])
