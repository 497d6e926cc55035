"""Fetching a model: a real server that speaks the hub's protocol, the hub's own client."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from services.embed.engines.selection import load_encoder, model_files
from services.embed.engines.transformers import fetch
from services.embed.settings import EmbedSettings
from services.runtime.errors import ResourceMissing
from tests.embed.checkpoints import bge_like, relaid

NAME = "somebody/encoder"
COMMIT = "a" * 40


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, set[str]]]:
    """Serves a folder as the repository NAME; yields the address and the files downloaded."""
    taken: set[str] = set()
    names = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file()]

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = self.path.partition("?")[0]
            data, name = b"", ""
            if path.startswith(f"/api/models/{NAME}/tree/"):
                sizes = {n: (folder / n).stat().st_size for n in names}
                entries = [
                    {"type": "file", "path": n, "size": size, "oid": "0" * 40}
                    for n, size in sizes.items()
                ]
                data = json.dumps(entries).encode()
            elif path.startswith(f"/api/models/{NAME}"):
                siblings = [{"rfilename": n} for n in names]
                data = json.dumps({"id": NAME, "sha": COMMIT, "siblings": siblings}).encode()
            elif path.startswith(f"/{NAME}/resolve/"):
                name = path.split("/", 5)[5]
                data = (folder / name).read_bytes()
            if not data:
                self.send_response(404)
                self.send_header("x-error-code", "RepoNotFound")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.send_header("etag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("x-repo-commit", COMMIT)
            self.end_headers()
            if body:
                taken.add(name)
                self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's client keeps what it fetches for good; not in these tests."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("layout", ["bin", "bin-sharded", "safetensors", "safetensors-sharded"])
def test_a_model_is_fetched_in_the_layout_it_has(layout: str, tmp_path: Path) -> None:
    folder = relaid(bge_like(tmp_path / "bge"), tmp_path / "relaid", layout)
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(b"not needed")
    with hub(folder) as (address, taken):
        fetched = fetch(NAME, "VIVA_EMBED_MODEL", address)
    assert {"config.json", "tokenizer.json", "1_Pooling/config.json", "modules.json"} <= taken
    assert not {"onnx/model.onnx", "sparse_linear.pt"} & taken
    settings = EmbedSettings(model=str(fetched), engine="transformers")
    assert load_encoder(settings, model_files(settings)).dimensions == 32


def test_of_two_layouts_the_one_that_cannot_run_code_is_fetched(tmp_path: Path) -> None:
    folder = bge_like(tmp_path / "bge")
    torch.save({}, folder / "pytorch_model.bin")
    with hub(folder) as (address, taken):
        fetch(NAME, "VIVA_EMBED_MODEL", address)
    assert "model.safetensors" in taken
    assert "pytorch_model.bin" not in taken


def test_what_was_fetched_once_is_there_without_the_hub(tmp_path: Path) -> None:
    with hub(bge_like(tmp_path / "bge")) as (address, _):
        first = fetch(NAME, "VIVA_EMBED_MODEL", address)
    assert fetch(NAME, "VIVA_EMBED_MODEL", address) == first


def test_a_name_the_hub_does_not_have_stops_the_start(tmp_path: Path) -> None:
    with (
        hub(bge_like(tmp_path / "bge")) as (address, _),
        pytest.raises(ResourceMissing, match="nobody/nothing cannot be fetched"),
    ):
        fetch("nobody/nothing", "VIVA_EMBED_MODEL", address)
