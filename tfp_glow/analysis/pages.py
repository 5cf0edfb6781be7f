# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pages in HTML that need no other files, and the pictures in them."""

import base64
import html
import io
import json

import numpy as np
import PIL.Image

_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 0 auto;
  max-width: 66rem; padding: 1rem; background: #fff; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { font-size: 1.35rem;
  margin-top: 2.5rem; border-top: 2px solid #ddd; padding-top: 1rem; }
h3 { margin-top: 2rem; } p, li { max-width: 44rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse;
  font-size: .9rem; } th, td { padding: .35rem .6rem; text-align: left;
  border-bottom: 1px solid #ddd; vertical-align: top; }
td[class] { white-space: nowrap; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.agrees { background: #d6e9f5; } .opposite { background: #fbe0cf; }
.undecided { background: #eee; }
.charts { display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
figure { margin: 0; } figcaption { font-size: .85rem; color: #444; }
img { max-width: 100%; height: auto; } td img { border: 1px solid #ccc; }
tbody th { white-space: nowrap; }
.patches { display: flex; flex-wrap: wrap; gap: 1.25rem;
  align-items: flex-start; margin: 1rem 0; }
.patches img { width: min(11rem, 41vw); display: block; image-rendering: pixelated; }
.targets img { width: 4.5rem; display: inline-block; vertical-align: top; }
.targets { white-space: nowrap; }
.patches div { max-width: 100%; overflow-x: auto; }
"""


def page(title, parts, numbers):
    """Returns a page as text.

    Args:
        title: `str`.
        parts: list of HTML elements.
        numbers: plain values, which the page holds as JSON.
    """
    data = json.dumps(numbers).replace("</", "<\\/")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n"
        f"<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + '\n<script type="application/json" id="numbers">'
        + data
        + "</script>\n</body>\n</html>\n"
    )


def chart(figure, alt):
    """Returns a Matplotlib figure as an element, drawn as SVG."""
    data = base64.b64encode(svg(figure).encode()).decode()
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" '
        f'alt="{html.escape(alt)}"></figure>'
    )


def png(png, alt):
    """Returns the bytes of a PNG file as an element."""
    data = base64.b64encode(png).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{html.escape(alt)}">'


def svg(figure):
    """Returns a Matplotlib figure as the text of an SVG file."""
    import matplotlib

    # Text stays text. The same figure gives the same file.
    options = {"svg.fonttype": "none", "svg.hashsalt": "tfp_glow"}
    buffer = io.StringIO()
    with matplotlib.rc_context(options):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def png_bytes(image, zoom=12):
    """Returns an image `[H, W, C]` in [0, 1] as the bytes of a PNG file.

    Every pixel becomes a square of `zoom` by `zoom` pixels.
    """
    levels = np.round(np.asarray(image) * 255.0).astype(np.uint8)
    levels = np.broadcast_to(levels, [*levels.shape[:2], 3])
    levels = levels.repeat(zoom, axis=0).repeat(zoom, axis=1)
    buffer = io.BytesIO()
    PIL.Image.fromarray(levels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
