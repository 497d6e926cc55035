"""The page that the bridge serves."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.edge.gateway.bridge.conftest import Bridge

SCRIPT = "assets/room-BxX8hj2s.js"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Viva</title>")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / SCRIPT).write_text("speak()")
    (folder / f"{SCRIPT}.gz").write_bytes(gzip.compress(b"speak()"))
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
async def http(bridge: Bridge, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        bridge() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize("path", ["/", "/index.html", "/history", "/report/0197-aa"])
async def test_every_page_is_the_index_and_never_kept(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>Viva</title>")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


async def test_what_is_named_by_its_content_is_kept_for_ever(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/{SCRIPT}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await http.get("/favicon.svg")).headers["cache-control"] == "no-cache"


async def test_it_comes_compressed_to_those_who_can_read_that(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/{SCRIPT}", headers={"accept-encoding": "br, gzip;q=0.5"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.text == "speak()"
    for plain in ("identity", "gzip;q=0"):
        answer = await http.get(f"/{SCRIPT}", headers={"accept-encoding": plain})
        assert "content-encoding" not in answer.headers
        assert answer.text == "speak()"


async def test_it_is_not_sent_twice(http: httpx.AsyncClient) -> None:
    first = await http.get("/")
    again = await http.get("/", headers={"if-none-match": f"W/{first.headers['etag']}"})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/gone-00000000.js",
        "/assets/gone",
        "/robots.txt",
        "/v1/interviews",
        "/viva.interview.v1.InterviewService/GetInterview",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
    ],
)
async def test_what_is_no_page_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


async def test_only_reading_is_allowed(http: httpx.AsyncClient) -> None:
    assert (await http.post("/")).status_code == 405
    head = await http.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == "19"


async def test_a_page_that_was_not_built_is_told_until_it_is(
    bridge: Bridge, tmp_path: Path
) -> None:
    async with (
        bridge() as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        answer = await http.get("/")
        assert answer.status_code == 503
        assert "make run" in answer.text
        (tmp_path / "page").mkdir()
        (tmp_path / "page" / "index.html").write_text("built")
        assert (await http.get("/")).text == "built"


async def test_the_api_is_described(bridge: Bridge, tmp_path: Path) -> None:
    description = tmp_path / "openapi.json"
    async with (
        bridge(openapi=description) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        assert (await http.get("/openapi.json")).status_code == 404
        description.write_text('{"openapi": "3.1.0"}')
        answer = await http.get("/openapi.json")
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"openapi": "3.1.0"}
