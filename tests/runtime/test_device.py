"""Which devices there are, and one line for those that there are not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import TypeAdapter, ValidationError

from services.runtime.device import Device, DeviceName, missing_library, require
from services.runtime.errors import ResourceMissing
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from services.runtime.server import run
from services.runtime.settings import ServerSettings


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("cpu", Device("cpu")),
        ("cuda", Device("cuda", 0)),
        ("cuda:0", Device("cuda", 0)),
        ("cuda:11", Device("cuda", 11)),
    ],
)
def test_a_device_is_the_cpu_or_a_numbered_cuda_device(name: str, device: Device) -> None:
    assert Device.parse(name) == device
    assert TypeAdapter(DeviceName).validate_python(name) == name


@pytest.mark.parametrize(
    "name", ["", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "cuda 1"]
)
def test_anything_else_is_refused_where_it_is_set(name: str) -> None:
    with pytest.raises(ValidationError, match="cuda:N"):
        TypeAdapter(DeviceName).validate_python(name)


def test_a_device_that_a_library_does_not_find_names_the_variable() -> None:
    assert require("cuda:1", "VIVA_X_DEVICE", "torch", lambda: 2).index == 1
    with pytest.raises(ResourceMissing, match="VIVA_X_DEVICE is cuda:1, but torch finds 1 CUDA"):
        require("cuda:1", "VIVA_X_DEVICE", "torch", lambda: 1)


def test_a_driver_that_is_too_old_is_told_in_a_line() -> None:
    def count() -> int:
        raise RuntimeError("CUDA driver version is insufficient for CUDA runtime version\nat x.cc")

    with pytest.raises(ResourceMissing, match=r"driver version is insufficient") as missing:
        require("cuda", "VIVA_X_DEVICE", "CTranslate2", count)
    assert "\n" not in str(missing.value)


def test_nobody_counts_devices_for_the_cpu() -> None:
    def count() -> int:
        raise AssertionError

    assert require("cpu", "VIVA_X_DEVICE", "torch", count) == Device("cpu")


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("Library libcublas.so.12 is not found or cannot be loaded", "libcublas.so.12"),
        (
            "libcudnn_cnn.so.9: cannot open shared object file: No such file or directory",
            "libcudnn_cnn.so.9",
        ),
    ],
)
def test_a_library_that_is_not_there_is_known_by_the_words_it_is_missed_with(
    said: str, library: str
) -> None:
    missing = missing_library(RuntimeError(said))
    assert missing is not None
    assert missing.what.startswith(library)
    assert "docs/gpu.md" in missing.remedy


@pytest.mark.parametrize("said", ["libfoo.so.1: cannot open shared object file", "no speech"])
def test_other_errors_are_no_missing_library(said: str) -> None:
    assert missing_library(RuntimeError(said)) is None


def test_a_library_that_is_missed_while_warming_up_ends_the_start_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> Sequence[object]:
        raise RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")

    monkeypatch.setattr("services.runtime.server._serve_until_signal", fail)
    with pytest.raises(SystemExit) as ended:
        run(ServerSettings(), "asr", lambda: None)  # type: ignore[arg-type,return-value]
    assert ended.value.code == EXIT_RESOURCE_MISSING
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("viva asr: libcublas.so.12 cannot be loaded")
