# Copyright 2026 The tfp_glow Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of the explorer's server, over HTTP."""

import http.client
import io
import json
import re
import socket
import threading
import urllib.parse

import numpy as np
import pytest

from tests.explorer import support
from tfp_glow import explorer
from tfp_glow.analysis.latents import flow

_JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server():
    with explorer.Server() as result:
        result.explorer = support.tiny()
        thread = threading.Thread(target=result.serve_forever, args=[0.01])
        thread.start()
        yield result
        result.shutdown()
        thread.join()


def _ask(server, method, path, body=None, headers=()):
    """The status, the headers and the body of an answer."""
    address = urllib.parse.urlsplit(server.url).netloc
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def _call(server, name, request, **headers):
    body = json.dumps(request)
    path = f"/api/{name}"
    status, _, data = _ask(server, "POST", path, body, {**_JSON, **headers})
    return status, json.loads(data)


def test_the_page_asks_for_nothing_from_other_hosts(server):
    status, headers, page = _ask(server, "GET", "/")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"https?:|\*|unsafe", policy)
    names = re.findall(r'(?:src|href)="([\w.]+)"', page.decode())
    assert names == ["icon.svg", "style.css", "app.js"]
    kinds = {}
    for name in (*names, "picture.js"):
        status, headers, text = _ask(server, "GET", f"/{name}")
        assert status == 200
        kinds[name] = headers["Content-Type"].split(";")[0]
        addresses = set(re.findall(r"https?://[\w./]+", text.decode()))
        # The name of a format, which is not loaded.
        assert addresses <= {"http://www.w3.org/2000/svg"}
    assert kinds == {
        "icon.svg": "image/svg+xml",
        "style.css": "text/css",
        "app.js": "text/javascript",
        "picture.js": "text/javascript",
    }


def test_facts_and_functions_answer(server):
    status, _, data = _ask(server, "GET", "/api/facts")
    facts = json.loads(data)
    assert status == 200
    assert facts["levels"] == [[4, 4, 2], [2, 2, 8]]
    assert facts["class_names"] == ["0", "1", "2"]
    assert sum(facts["data"]["counts"]) <= facts["data"]["count"] == 60
    status, view = _call(server, "start", {"seed": 0})
    assert status == 200
    assert support.pixels(view["picture"]).shape == (8, 8)
    body = json.dumps({"state": view["state"]})
    status, _, data = _ask(server, "POST", "/api/latent", body, _JSON)
    expected = flow.of(support.model()).scale_latents(
        support.latent(view["state"]), 0.7
    )
    np.testing.assert_allclose(np.load(io.BytesIO(data)), expected)


def test_errors_are_messages_and_the_server_goes_on(server):
    bad = support.state(temperature=[-1, 1])
    status, answer = _call(server, "show", {"state": bad})
    assert status == 400
    assert "temperature" in answer["error"]
    body = '{"state": {"temperature": [NaN, Infinity]}}'
    status, *_ = _ask(server, "POST", "/api/show", body, _JSON)
    assert status == 400
    for body in ("{", "[]", "[" * 100_000, b"\xff"):
        status, _, data = _ask(server, "POST", "/api/show", body, _JSON)
        assert status == 400
        assert "JSON" in json.loads(data)["error"]
    assert _call(server, "gallery", {})[0] == 200


def test_a_mistake_of_the_program_is_told(server, monkeypatch, capsys):
    def fail(request):
        raise RuntimeError("broken")

    monkeypatch.setattr(support.tiny(), "show", fail)
    status, answer = _call(server, "show", {})
    assert status == 500
    assert answer["error"].startswith("RuntimeError")
    assert "broken" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/%2e%2e/server.py",
        "/page/index.html",
        "//etc/passwd",
        "/api/show",
    ],
)
def test_only_files_of_the_page_are_served(server, path):
    status, _, data = _ask(server, "GET", path)
    assert status == 404
    assert json.loads(data) == {"error": "no such page"}


@pytest.mark.parametrize(
    "path", ["/show", "/api/", "/api/facts", "/api/__init__", "/api/_view"]
)
def test_only_functions_of_the_page_are_called(server, path):
    status, _, data = _ask(server, "POST", path, "{}", _JSON)
    assert status == 404
    assert json.loads(data) == {"error": "no such function"}


def test_other_sites_are_refused(server):
    port = server.server_address[1]
    rebound = {"Host": f"evil.example:{port}"}
    assert _ask(server, "GET", "/", headers=rebound)[0] == 403
    assert _call(server, "gallery", {}, **rebound)[0] == 403
    assert _call(server, "gallery", {}, Host="127.0.0.1:1")[0] == 403
    for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
        assert _ask(server, "GET", "/", headers={"Host": host})[0] == 200
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert _call(server, "gallery", {}, **cross)[0] == 403
    # A link from another site may open the page.
    assert _ask(server, "GET", "/", headers=cross)[0] == 200
    # A form of another site can send this type, and nothing asks first.
    plain = {"Content-Type": "text/plain"}
    assert _ask(server, "POST", "/api/start", "{}", plain)[0] == 415
    assert _ask(server, "OPTIONS", "/api/start")[0] == 501


def test_requests_are_bounded(server):
    size = {**_JSON, "Content-Length": str(10**9)}
    status, _, data = _ask(server, "POST", "/api/upload", b"", size)
    assert status == 413
    assert "at most 8 MiB" in json.loads(data)["error"]
    for length in ("-1", "x", "1" * 5000):
        size = {**_JSON, "Content-Length": length}
        status, *_ = _ask(server, "POST", "/api/upload", b"", size)
        assert status in (411, 413)
    # The connection to a browser that goes away does not stop the server.
    with socket.create_connection(server.server_address) as connection:
        connection.sendall(
            b"POST /api/show HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        )
    assert _ask(server, "GET", "/")[0] == 200


def test_a_port_in_use_and_a_wrong_host_raise(server):
    port = server.server_address[1]
    with pytest.raises(ValueError, match=f"--port={port + 1}"):
        explorer.Server(port=port)
    with pytest.raises(ValueError, match="from 0 to 65535"):
        explorer.Server(port=70_000)
    with pytest.raises(ValueError, match="address of this machine"):
        explorer.Server("192.0.2.1")


def test_other_machines_may_name_any_host_if_asked_to():
    with explorer.Server("0.0.0.0") as server:
        assert not server.is_loopback
    with explorer.Server("localhost") as server:
        assert server.is_loopback
