# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the explorer's functions, against the model's own."""

import io

import numpy as np
import PIL.Image
import pytest

import tfp_glow as tfg
from tests.explorer import support
from tfp_glow import explorer
from tfp_glow.analysis.latents import flow

_SIZES = [32, 32]  # Of the levels.


@pytest.fixture
def tiny():
    return support.tiny()


def test_a_view_has_the_picture_and_the_likelihood_of_its_state(tiny):
    state = support.state(temperature=[0.5, 1.2], label=2)
    view = tiny.show({"state": state})
    model = support.model()
    z = flow.of(model).scale_latents(
        support.latent(state), np.repeat([0.5, 1.2], _SIZES)
    )
    image = model.decode(np.tile(z, [3, 1]), [2, 2, 2]).numpy()[0]
    np.testing.assert_array_equal(
        support.pixels(view["picture"]), support.to_pixels(image)
    )
    levels = np.clip(np.round(image), 0, support.BINS - 1)
    compiled = flow.of(model)
    [bits] = compiled.bits_per_dim(levels[np.newaxis], np.eye(3)[[2]])
    np.testing.assert_allclose(view["bits_per_dim"], bits, rtol=1e-5)
    images, labels = support.data()
    of_data = compiled.bits_per_dim(images, np.eye(3)[labels])
    assert view["share_below"] == np.mean(of_data > view["bits_per_dim"])
    assert view["state"] == state


def test_draw_keeps_frozen_levels(tiny):
    before = support.state()
    view = tiny.draw({"state": before, "frozen": [True, False], "seed": 1})
    old, new = map(support.latent, (before, view["state"]))
    np.testing.assert_array_equal(new[:32], old[:32])
    assert np.all(new[32:] != old[32:])
    with pytest.raises(ValueError, match="all of them frozen"):
        tiny.draw({"state": before, "frozen": [True, True]})


def test_sliders_move_the_latents_by_their_directions(tiny):
    state = support.state()
    images, labels = support.data()
    parts = tfg.latents.encode(support.model(), images, labels)
    codes = np.concatenate([p.reshape(len(p), -1) for p in parts], axis=1)
    thirds = np.argsort(np.argsort(np.mean(images, (1, 2, 3)))) // 20
    attribute = tfg.latents.attribute(
        support.model(), images, thirds, 2, 0, conditioning=labels
    )
    moved = support.state(strengths={"ink": 1.5, "level-1-direction-0": 2.0})
    found = np.load(io.BytesIO(tiny.latent({"state": moved})))
    found -= np.load(io.BytesIO(tiny.latent({"state": state})))
    [other] = (
        s.direction
        for name, s in tiny._sliders.items()
        if name == "level-1-direction-0"
    )
    np.testing.assert_allclose(
        found, 1.5 * attribute.direction + 2.0 * other, atol=1e-5
    )
    np.testing.assert_allclose(
        attribute.direction,
        codes[thirds == 2].mean(0) - codes[thirds == 0].mean(0),
        atol=1e-5,
    )
    assert np.linalg.norm(other) == pytest.approx(1.0)
    assert not np.any(other[:32])


def test_sliders_of_classes_are_for_models_without_labels():
    codes = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0]])
    labels = np.array([0, 0, 1, 1])
    names = ["a", "b", "absent"]
    first, second = explorer.sliders._classes(labels, codes, names)
    assert (first.title, second.title) == ("a", "b")
    np.testing.assert_array_equal(second.direction, [0.0, 4.0])
    np.testing.assert_array_equal(first.direction, [0.0, -4.0])
    assert not any(
        slider.group == "Classes" for slider in support.tiny()._sliders.values()
    )


def test_measures_have_the_signs_that_their_names_say():
    ink = np.zeros([2, 9, 9, 1])
    for i in range(1, 8):
        ink[0, i, 4], ink[1, i, 8 - i] = 1.0, 1.0  # The second leans right.
    ink[1, 2, 3:6] = 1.0
    for (_, low, high), (first, second) in explorer.sliders.measure(
        ink
    ).items():
        assert (low, high) in (
            ("thin", "bold"),
            ("left", "right"),
            ("narrow", "wide"),
            ("low", "high"),
        )
        assert first < second
    photo = np.full([2, 4, 4, 3], 0.4)
    photo[1, :, :2] = [0.5, 0.6, 0.9]  # Bright and blue at the left.
    looks = {t: v for (t, *_), v in explorer.sliders.measure(photo).items()}
    signs = {t: np.sign(np.round(v[1] - v[0], 9)) for t, v in looks.items()}
    assert signs == {
        "Brightness": 1,
        "Contrast": 1,
        "Side light": -1,
        "Top light": 0,
        "Warmth": -1,
        "Saturation": 1,
    }


def test_open_and_interpolate_return_to_the_data(tiny):
    images, labels = support.data()
    first, last = (tiny.open({"index": i}) for i in (0, 5))
    assert labels[0] != labels[5]
    ends = {"a": first["state"], "b": last["state"], "path": "spherical"}
    for share, view, i in ((0.0, first, 0), (1.0, last, 5)):
        expected = support.to_pixels(images[i])
        np.testing.assert_array_equal(support.pixels(view["picture"]), expected)
        end = tiny.interpolate({**ends, "share": share})
        np.testing.assert_array_equal(support.pixels(end["picture"]), expected)
        assert end["state"]["label"] == labels[i]
    half = tiny.interpolate({**ends, "share": 0.25, "path": "linear"})
    a, b = (support.latent(view["state"]) for view in (first, last))
    np.testing.assert_allclose(
        support.latent(half["state"]), 0.75 * a + 0.25 * b, atol=1e-12
    )
    np.testing.assert_allclose(
        half["state"]["label"],
        0.75 * np.eye(3)[labels[0]] + 0.25 * np.eye(3)[labels[5]],
        atol=1e-6,
    )
    # A state between classes can be drawn and changed further.
    assert tiny.show({"state": half["state"]})["picture"] == half["picture"]


def test_faces_are_the_latent_decoded_as_each_class(tiny):
    state = support.state(temperature=[1.0, 1.0])
    z = np.repeat(support.latent(state)[np.newaxis], 3, axis=0)
    faces = tiny.faces({"state": state})["pictures"]
    images = support.model().decode(z, [0, 1, 2]).numpy()
    for face, image in zip(faces, images, strict=True):
        np.testing.assert_array_equal(
            support.pixels(face), support.to_pixels(image)
        )
    assert len(set(faces)) == 3


def test_fill_changes_the_pixels_of_the_mask_only(tiny):
    state = tiny.open({"index": 3})["state"]
    before = support.to_pixels(support.data()[0][3])
    mask = np.zeros([8, 8], int)
    mask[2:5, 3:6] = 1
    request, shares = {"state": state, "mask": mask.tolist(), "seed": 0}, []
    while not shares or shares[-1] < 1:
        view = tiny.fill(request)
        request["progress"] = view["progress"]
        shares.append(view["progress"]["share"])
    assert shares == sorted(set(shares))
    after = support.pixels(view["picture"])
    np.testing.assert_array_equal(after[mask == 0], before[mask == 0])
    assert np.any(after[mask == 1] != before[mask == 1])


def test_gallery_shows_data_without_repetition(tiny):
    items = tiny.gallery({"seed": 0})["items"]
    assert len({item["index"] for item in items}) == 16
    for item in items:
        np.testing.assert_array_equal(
            support.pixels(item["picture"]),
            support.to_pixels(support.data()[0][item["index"]]),
        )


def test_an_upload_is_the_picture_that_the_model_sees(tiny):
    levels = support.data()[0][7]
    image = PIL.Image.fromarray(support.to_pixels(levels))
    view = tiny.upload({"data": support.file(image), "label": 1})
    np.testing.assert_array_equal(
        support.pixels(view["picture"]), support.to_pixels(levels)
    )
    assert view["notes"] == []
    assert view["state"]["label"] == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"temperature": [-1.0, 1.0]}, "temperature.*from 0 to 10.*-1"),
        ({"temperature": [float("nan"), 1.0]}, "temperature.*nan"),
        ({"temperature": [None, 1.0]}, "temperature.*None"),
        ({"temperature": [1.0]}, "2 numbers, one for each level"),
        ({"label": 3}, r"integer in \[0, 3\)"),
        ({"label": None}, r"integer in \[0, 3\)"),
        ({"label": [0.5, 0.5, -1.0]}, "from 0 to 1"),
        ({"strengths": {"ink": float("inf")}}, "Ink.*inf"),
        ({"strengths": {"inc": 1.0}}, "Did you mean 'ink'"),
        ({"strengths": []}, "a dictionary"),
        ({"latent": "AAAA"}, "64 float64 numbers. Received: 3 bytes"),
        ({"latent": "%%"}, "base64"),
        ({"latent": None}, "base64"),
        ({"latent": "AAAAAAAA8H8=" * 64}, "base64"),
    ],
    ids=repr,
)
def test_states_that_do_not_fit_raise(tiny, change, message):
    state = support.state(**change)
    with pytest.raises(ValueError, match=f"(?s){message}"):
        tiny.show({"state": state})


@pytest.mark.parametrize(
    "function, request_, message",
    [
        ("show", {}, "a state"),
        ("draw", {"frozen": [True]}, "2 booleans"),
        ("draw", {"frozen": [False, False], "seed": -1}, "seed"),
        ("open", {"index": 60}, r"\[0, 60\)"),
        ("open", {"index": "../x"}, r"\[0, 60\)"),
        ("interpolate", {"share": 1.5, "path": "linear"}, "from 0 to 1"),
        ("interpolate", {"share": 0.5, "path": "round"}, "linear"),
        ("fill", {"mask": [[1] * 8] * 8}, "True everywhere"),
        ("fill", {"mask": [[0] * 8] * 8}, "False everywhere"),
        ("fill", {"mask": [[1, 0]]}, "8, 8"),
        ("fill", {"mask": [[1], [1, 0]]}, "8, 8"),
        ("upload", {"label": 7, "data": ""}, "Expected a picture"),
    ],
)
def test_requests_that_do_not_fit_raise(tiny, function, request_, message):
    state = support.state()
    if function == "interpolate":
        request_ = {**request_, "a": state, "b": state}
    elif function != "show":
        request_ = {"state": state, **request_}
    with pytest.raises(ValueError, match=message):
        getattr(tiny, function)(request_)


def test_other_models_and_data_without_labels_raise():
    data = support.data()
    with pytest.raises(TypeError, match="GlowModel"):
        explorer.Explorer("model", data, data, "x")
    with pytest.raises(ValueError, match="labels of the data"):
        without = (data[0], None)
        explorer.Explorer(support.model(), without, without, "x")
