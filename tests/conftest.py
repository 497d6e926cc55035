"""What holds for all tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.real_mesh import RealMesh

# `make test` says the same of the same code every time. `pytest --hypothesis-profile=explore` draws
# new examples; what it finds becomes an `@example`.
settings.register_profile("explore", derandomize=False)
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")

# What these modules need is not installed for `make test-fast`.
_ENGINES = re.compile(
    r"^(?:import|from) (?:torch|transformers|sentence_transformers"
    r"|tests\.(?:triton|embed\.checkpoints))\b",
    re.MULTILINE,
)
# These start every server as a process, or install the wheel.
_WHOLE_MESH = {"e2e", "test_matrix.py", "test_connections.py", "test_wheel.py"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out what is marked slow, and what needs torch or Triton",
    )
    parser.addoption(
        "--faults",
        action="store_true",
        help="run every fault, also what is marked whole",
    )
    parser.addoption(
        "--faults-seed",
        type=int,
        default=1,
        help="which schedule of faults the random run takes; 0 draws one, and prints it",
    )
    parser.addoption(
        "--faults-seconds",
        type=float,
        default=3.0,
        help="how long the random run begins interviews and faults",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--fast"):
        return None
    if collection_path.name in _WHOLE_MESH:
        return True
    # A folder whose fixtures need an engine is left out whole.
    file = collection_path / "conftest.py" if collection_path.is_dir() else collection_path
    needs_engine = file.suffix == ".py" and file.is_file() and _ENGINES.search(file.read_text())
    return True if needs_engine else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = {
        mark
        for mark, leave in (
            ("slow", config.getoption("--fast")),
            ("whole", not config.getoption("--faults")),
        )
        if leave
    }
    kept: list[pytest.Item] = []
    deselected: list[pytest.Item] = []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        (deselected if marks & left_out else kept).append(item)
    config.hook.pytest_deselected(items=deselected)
    items[:] = kept


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealMesh]:
    """The real mesh, one for all who need it: it takes half a minute of the processor to start."""
    # What it needs takes time to import, and most tests need none.
    from tests.cli.running_mesh import environment
    from tests.real_mesh import running

    variables = environment(tmp_path_factory.mktemp("mesh"))
    with running(variables, tmp_path_factory.mktemp("scratch")) as started:
        yield started
