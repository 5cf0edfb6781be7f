# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes the picture of docs/explorer.md, a page of the explorer.

`make demo` trains the model. Then `pip install playwright` and
`python docs/explorer_picture.py`, which needs Chromium at `/usr/bin/chromium`.
"""

import pathlib
import threading

import PIL.Image
from playwright import sync_api

from tfp_glow import explorer
from tfp_glow.train import explore

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_RUN = _ROOT / "runs" / "digits"
_PICTURE = _ROOT / "docs" / "explorer.png"


def main():
    """Opens the page and writes its picture."""
    with explorer.Server() as server:
        server.explorer = explore.make(str(_RUN))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shoot(server.url, _PICTURE)
        server.shutdown()
    print(f"Wrote {_PICTURE}")


def shoot(url, path):
    """Writes a picture of the page, after some moves."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("body[data-ready=yes]")
        page.get_by_role("radio", name="3").click()
        page.get_by_role("slider", name="Slant").fill("0.4")
        page.wait_for_timeout(1500)
        page.screenshot(path=path)
        browser.close()
    PIL.Image.open(path).convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main()
