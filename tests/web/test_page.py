"""The page's own tests, its types, its size, and what its build may not contain."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from tests.web.conftest import BROWSER, WEB, node

pytestmark = pytest.mark.slow

# KB of JavaScript, gzip (WEB.md): what a page loads before it can be used.
START_KB, ROOM_KB, OTHER_KB, CHARTS_KB = 120, 200, 340, 190


def test_its_parts_do_what_they_say(packages: Path) -> None:
    assert "failed" not in node(packages, "npm", "test", "--silent")


def test_its_types_hold(packages: Path) -> None:
    node(packages, "npm", "run", "--silent", "types")


@pytest.mark.parametrize("folder", [WEB, BROWSER], ids=lambda folder: folder.name)
def test_lock_files_name_hashes_and_no_registry(folder: Path) -> None:
    lock = json.loads((folder / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert not [name for name, entry in packages.items() if "resolved" in entry]
    assert not [name for name, entry in packages.items() if "integrity" not in entry]


def test_nothing_in_the_page_needs_an_exception_of_the_policy(built: Path) -> None:
    index = (built / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", index)
    assert "data:" not in index
    for worklet in built.glob("assets/*worklet*.js"):
        assert "registerProcessor" in worklet.read_text()


def test_compressed_copies_say_what_the_files_say(built: Path) -> None:
    copies = list(built.glob("assets/*.gz"))
    assert copies
    for copy in copies:
        assert gzip.decompress(copy.read_bytes()) == copy.with_suffix("").read_bytes()
        assert copy.with_suffix(".br").exists()


def _loaded(built: Path, name: str) -> set[Path]:
    """The scripts that a chunk imports at once, itself included."""
    found: set[Path] = set()
    waiting = [next(built.glob(f"assets/{name}-*.js"))]
    while waiting:
        chunk = waiting.pop()
        if chunk in found:
            continue
        found.add(chunk)
        # `import {…} from "./x.js"`, not `import("./x.js")`.
        imported = re.findall(r'(?:from|import)\s*"\./([^"]+\.js)"', chunk.read_text())
        waiting += [built / "assets" / name for name in imported]
    return found


OTHERS = ("ReportPage", "HistoryPage", "AccountPage", "SettingsPage", "QuestionsPage")
LIMITS = {"StartPage": START_KB, "RoomPage": ROOM_KB, **dict.fromkeys(OTHERS, OTHER_KB)}


@pytest.mark.parametrize(("page", "limit"), LIMITS.items())
def test_pages_stay_within_their_budget(built: Path, page: str, limit: int) -> None:
    kilobytes = _kilobytes(_loaded(built, "main") | _loaded(built, page))
    assert kilobytes <= limit, f"{kilobytes:.0f} KB"


def test_charts_come_by_themselves_and_within_theirs(built: Path) -> None:
    page = _loaded(built, "main") | _loaded(built, "HistoryPage")
    charts = _loaded(built, "lines") - page
    assert charts, "the history loads the charts at once"
    assert _kilobytes(charts) <= CHARTS_KB, f"{_kilobytes(charts):.0f} KB"


def _kilobytes(chunks: set[Path]) -> float:
    return sum(len(gzip.compress(chunk.read_bytes(), 9)) for chunk in chunks) / 1000
