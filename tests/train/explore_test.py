# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the command `explore`."""

import types
import webbrowser

import numpy as np
import pytest

from tests.explorer import support
from tfp_glow import explorer
from tfp_glow.train import cli
from tfp_glow.train import commands
from tfp_glow.train import explore
from tfp_glow.train.settings import Settings


@pytest.fixture
def opened(monkeypatch):
    """The addresses that are opened; Ctrl-C ends the server at once."""
    found = []

    def interrupt(server):
        assert server.explorer == "explorer"
        raise KeyboardInterrupt

    monkeypatch.setattr(explorer.Server, "serve_forever", interrupt)
    monkeypatch.setattr(explore, "make", lambda *arguments: "explorer")
    monkeypatch.setattr(webbrowser, "open", found.append)
    return found


def test_the_page_opens_and_ctrl_c_ends_it(opened, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":0")
    assert cli.main(["explore", "--preset=digits", "--port=0"]) == 0
    [url] = opened
    printed = capsys.readouterr()
    assert f"Explore at {url}" in printed.out
    assert "password" not in printed.out
    assert printed.err == ""
    assert cli.main(["explore", "--port=0", "--browser=false"]) == 0
    assert len(opened) == 1


def test_without_a_display_no_browser_is_opened(opened, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert cli.main(["explore", "--port=0", "--host=0.0.0.0"]) == 0
    assert opened == []
    assert "It has no password" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--preset=digit"], "Did you mean 'digits'"),
        (["--preset=digits", "--run=x"], "--run or --preset, not both"),
        (["--run=no_run"], "Expected the folder of a run"),
        (["--preset=digits", "--port=-1"], "from 0 to 65535"),
    ],
)
def test_wrong_flags_are_told(flags, message, capsys):
    assert cli.main(["explore", *flags]) == 1
    assert message in capsys.readouterr().err


def test_a_port_in_use_is_told_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(explore, "make", lambda *arguments: pytest.fail())
    with explorer.Server() as server:
        port = server.server_address[1]
        assert cli.main(["explore", f"--port={port}"]) == 1
    assert "another program uses" in capsys.readouterr().err


@pytest.mark.parametrize("num_classes", [None, 10])
def test_a_run_is_explored_with_its_data(monkeypatch, num_classes):
    model = types.SimpleNamespace(num_classes=num_classes)
    settings = Settings(conditional=bool(num_classes)).completed(
        Settings().data_info()
    )
    opened = (types.SimpleNamespace(path="run"), settings, model)
    monkeypatch.setattr(commands, "open_run", lambda run: opened)
    fake = types.SimpleNamespace(Explorer=lambda *arguments: arguments)
    monkeypatch.setattr(explore, "explorer", fake)
    found, train, test, title, names = explore.make("run")
    assert found is model
    assert title == "digits"
    assert names == list("0123456789")
    assert train[0].shape == (600, 8, 8, 1)
    assert test[0].shape == (267, 8, 8, 1)
    for images, labels in (train, test):
        assert images.max() == support.BINS - 1
        assert set(labels) == set(range(10))
    assert len(np.unique(train[1][:20])) > 3  # Not in the order of classes.
