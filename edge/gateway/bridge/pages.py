"""The built page: its files as they are, and its start for every address of its own."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

INDEX = "index.html"

# What Vite names by its content: `assets/room-BxX8hj2s.js`.
_HASHED = re.compile(r"assets/(?:.*/)?[^/]+-[\w-]{8,}\.\w+")
_IMMUTABLE = "public, max-age=31536000, immutable"
_FRESH = "no-cache"
# Best first.
_ENCODINGS = {"br": ".br", "gzip": ".gz"}
# Of the API; a page never has such an address.
_NO_PAGE = ("v1/", "viva.", "grpc.", "assets/")

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Viva</title>
<h1>The page has not been built</h1>
<p>Viva runs, but the files of its web page are missing. <code>make run</code> builds them and
starts Viva again. A copy installed as a package brings them along.</p>
<p>Programs can call it all the same: <a href="/openapi.json">what there is as JSON</a>; on the
command line, <code>viva interview</code> holds an interview.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the page.

    Attributes:
        path: Where it is.
        media_type: What it is.
        etag: Of its content.
        packed: Compressed copies, by encoding.
    """

    path: Path
    media_type: str
    etag: str
    packed: Mapping[str, Path] = field(default_factory=dict)


class Pages:
    """Answers GET and HEAD. Only files that were there when it looked are served."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder of the build; it may come later, or be built anew."""
        self._folder = folder
        self._files: Mapping[str, _File] = {}
        self._seen: int | None = None

    async def __call__(self, request: Request) -> Response:
        """The answer to a request."""
        self._look()
        if not self._files:
            return HTMLResponse(_NOT_BUILT, 503, {"cache-control": "no-store"})
        name = request.url.path.removeprefix("/")
        file = self._files.get(name)
        if file is None and _is_page(name):
            name, file = INDEX, self._files[INDEX]
        if file is None:
            return PlainTextResponse("There is no such page.\n", 404)
        return _answer(name, file, request.headers)

    def _look(self) -> None:
        """Reads the folder's list again when the page was built anew."""
        try:
            built = (self._folder / INDEX).stat().st_mtime_ns
        except OSError:
            built = None
        if built == self._seen:
            return
        self._files = {} if built is None else _files(self._folder)
        self._seen = built


def _is_page(name: str) -> bool:
    """Whether the address can be one of the page's own routes; a file's name has a dot."""
    return "." not in name.rpartition("/")[2] and not name.startswith(_NO_PAGE)


def _files(folder: Path) -> Mapping[str, _File]:
    paths = {path for path in folder.rglob("*") if path.is_file()}
    found = {}
    for path in paths:
        if path.suffix in _ENCODINGS.values() and path.with_suffix("") in paths:
            continue
        packed = {
            encoding: copy
            for encoding, suffix in _ENCODINGS.items()
            if (copy := path.with_name(path.name + suffix)) in paths
        }
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        etag = sha256(path.read_bytes()).hexdigest()[:32]
        found[path.relative_to(folder).as_posix()] = _File(path, kind, etag, packed)
    return found


def _answer(name: str, file: _File, asked: Headers) -> Response:
    accepted = {
        each.partition(";")[0].strip()
        for each in asked.get("accept-encoding", "").split(",")
        if not re.search(r";\s*q=0(\.0*)?\s*$", each)
    }
    encoding = next((each for each in file.packed if each in accepted), None)
    etag = f'"{file.etag}{"-" + encoding if encoding else ""}"'
    headers = {
        "etag": etag,
        "cache-control": _IMMUTABLE if _HASHED.fullmatch(name) else _FRESH,
        "x-content-type-options": "nosniff",
    }
    if file.packed:
        headers["vary"] = "accept-encoding"
    known = {each.strip().removeprefix("W/") for each in asked.get("if-none-match", "").split(",")}
    if etag in known:
        return Response(status_code=304, headers=headers)
    if encoding:
        headers["content-encoding"] = encoding
    path = file.packed[encoding] if encoding else file.path
    return FileResponse(path, headers=headers, media_type=file.media_type)
