# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the page in Chromium, which need `pip install playwright`."""

import io
import shutil
import threading
import urllib.parse

import numpy as np
import PIL.Image
import pytest

from tests.explorer import support
from tfp_glow import explorer

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="pip install playwright"
)
_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not _CHROMIUM, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        # The sandbox of Chromium does not run as root.
        yield playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox"]
        )


@pytest.fixture(scope="module")
def url():
    with explorer.Server() as server:
        server.explorer = support.tiny()
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


@pytest.fixture
def page(browser, url):
    """The page when it is ready; at the end, neither errors nor requests."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors, hosts = [], set()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        # Chromium also tells refused requests, whose messages the page shows.
        lambda message: (
            message.type in ("error", "warning")
            and "status of 400" not in message.text
            and errors.append(message.text)
        ),
    )
    page.on(
        "request",
        lambda request: hosts.add(urllib.parse.urlsplit(request.url).netloc),
    )
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector("body[data-ready=yes]")
    yield page
    page.close()
    assert errors == []
    # Addresses of data have no host.
    assert hosts - {""} == {urllib.parse.urlsplit(url).netloc}


def _shown(page):
    """The bytes of the picture on the page."""
    return support.pixels(page.locator("#save-picture").get_attribute("href"))


def _after(page, act):
    """The picture after an action that changes it."""
    link = page.locator("#save-picture")
    before = link.get_attribute("href")
    act()
    page.wait_for_function(
        "before => document.getElementById('save-picture').href !== before",
        arg=before,
    )
    _wait(page)
    return _shown(page)


def _wait(page):
    page.wait_for_selector("body:not(.busy)")


def _mark(page, top, left, bottom, right):
    """Drags over pixels of the picture."""
    box = page.locator("#picture").bounding_box()
    height, width = box["height"] / 8, box["width"] / 8
    page.mouse.move(
        box["x"] + (left + 0.5) * width, box["y"] + (top + 0.5) * height
    )
    page.mouse.down()
    page.mouse.move(
        box["x"] + (right + 0.5) * width, box["y"] + (bottom + 0.5) * height
    )
    page.mouse.up()


def test_sliders_and_labels_change_the_picture_and_undo_returns(page):
    first = _shown(page)
    bits = page.inner_text("#bits")
    slider = page.get_by_role("slider", name="Ink")
    slider.focus()
    pictures = [first]
    pictures.append(_after(page, lambda: slider.press("End")))
    other = page.get_by_role("slider", name="Width")
    pictures.append(_after(page, lambda: other.press("Home")))
    assert page.inner_text("#bits") != bits
    level = page.get_by_role("slider", name="Temperature of level 2")
    pictures.append(_after(page, lambda: level.press("Home")))
    label = page.get_by_role("radio", name="2", exact=True)
    pictures.append(_after(page, label.click))
    assert label.get_attribute("aria-checked") == "true"
    for picture in reversed(pictures[:-1]):
        undone = _after(page, page.locator("#undo").click)
        np.testing.assert_array_equal(undone, picture)
    assert slider.input_value() == "0"
    assert page.locator("#undo").is_disabled()


def test_frozen_levels_stay_and_all_frozen_is_an_error(page):
    boxes = [page.get_by_label(f"Freeze level {i}") for i in (1, 2)]
    boxes[0].check()
    _after(page, page.locator("#draw").click)
    boxes[1].check()
    before = _shown(page)
    page.locator("#draw").click()
    page.wait_for_selector("#message:visible")
    assert "all of them frozen" in page.inner_text("#message")
    np.testing.assert_array_equal(_shown(page), before)
    boxes[1].uncheck()
    _after(page, page.locator("#draw").click)
    assert page.locator("#message").is_hidden()


def test_errors_show_and_the_page_goes_on(page, tmp_path):
    number = page.get_by_role("spinbutton", name="Temperature of level 1")
    number.fill("-1")
    page.wait_for_selector("#message:visible")
    assert "temperature" in page.inner_text("#message")
    _after(page, lambda: number.fill("1.4"))
    assert page.locator("#message").is_hidden()
    text = tmp_path / "text.png"
    text.write_text("This is not a picture.")
    page.set_input_files("#file", text)
    page.wait_for_selector("#message:visible")
    assert "a file that is not one" in page.inner_text("#message")
    large = tmp_path / "large.png"
    large.write_bytes(bytes(9 * 2**20))
    page.set_input_files("#file", large)
    page.wait_for_function(
        "document.getElementById('message').innerText.includes('8 MiB')"
    )
    image = PIL.Image.fromarray(np.full([30, 20], 50_000, np.uint16))
    image.save(tmp_path / "wide.png")
    picture = _after(
        page, lambda: page.set_input_files("#file", tmp_path / "wide.png")
    )
    assert np.ptp(picture) == 0
    note = page.inner_text("#note")
    assert "16 bits" in note
    assert "20x30" in note


def test_a_marked_region_is_filled(page):
    page.locator(".thumb").first.click()
    _wait(page)
    before = _shown(page)
    _mark(page, 2, 3, 4, 6)
    assert page.inner_text("#marked") == "12 of 64 pixels"
    page.locator("#fill").click()
    page.wait_for_selector("#busy", state="hidden")
    _wait(page)
    after = _shown(page)
    mask = np.zeros([8, 8], bool)
    mask[2:5, 3:7] = True
    np.testing.assert_array_equal(after[~mask], before[~mask])
    assert np.any(after[mask] != before[mask])
    page.locator("#picture").focus()
    page.keyboard.press("Escape")
    assert page.locator("#fill").is_disabled()
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert page.inner_text("#marked") == "2 of 64 pixels"
    page.locator("#invert").click()
    assert page.inner_text("#marked") == "62 of 64 pixels"
    page.keyboard.press("Control+z")
    _wait(page)


def test_the_way_between_two_pictures_starts_and_ends_at_them(page):
    thumbs = page.locator(".thumb")
    pictures = []
    for end, i in (("a", 2), ("b", 9)):
        thumbs.nth(i).click()
        _wait(page)
        page.locator(f"#{end}").click()
        _wait(page)
        pictures.append(_shown(page))
    share = page.locator("#share")
    share.focus()
    np.testing.assert_array_equal(
        _after(page, lambda: share.press("Home")), pictures[0]
    )
    np.testing.assert_array_equal(
        _after(page, lambda: share.press("End")), pictures[1]
    )


def test_the_picture_and_the_latent_are_saved(page):
    with page.expect_download() as download:
        page.locator("#save-picture").click()
    saved = PIL.Image.open(download.value.path())
    assert download.value.suggested_filename == "picture.png"
    np.testing.assert_array_equal(np.asarray(saved), _shown(page))
    with page.expect_download() as download:
        page.locator("#save-latent").click()
    assert download.value.suggested_filename == "latent.npy"
    with open(download.value.path(), "rb") as file:
        latent = np.load(io.BytesIO(file.read()))
    images = support.model().decode(np.tile(latent, [3, 1]), [0, 0, 0])
    np.testing.assert_array_equal(
        _shown(page), support.to_pixels(images.numpy()[0])
    )


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_fits_its_window(page, width, theme):
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=theme)
    page.reload()
    page.wait_for_selector("body[data-ready=yes]")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    # Every control is inside the window, and no text is cut.
    boxes = page.evaluate(
        "[...document.querySelectorAll('button, input, a, h2, p, span')]"
        ".filter(e => e.checkVisibility() && e.id !== 'file')"
        ".map(e => [e.getBoundingClientRect().right,"
        " e.scrollWidth - e.clientWidth, e.outerHTML])"
    )
    assert len(boxes) > 40
    for right, cut, html in boxes:
        assert right <= width, html
        assert cut <= 1 or html.startswith(("<span", "<input")), html
    page.locator("#theme").click()
    other = {"light": "dark", "dark": "light"}[theme]
    assert page.evaluate("document.documentElement.dataset.theme") == other
