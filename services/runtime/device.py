"""Where a model runs ("cpu", "cuda" or "cuda:1"), and whether that is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from services.runtime.errors import ResourceMissing

_NAME = re.compile(r"cpu|cuda(?::(\d{1,3}))?")
# How the libraries say that one of CUDA's is not on the machine: CTranslate2 at the first batch,
# onnxruntime and torch where they load theirs.
_NO_LIBRARY = re.compile(
    r"(lib(?:cublas|cudnn|cudart|curand|cufft|nvrtc)\S*\.so\S*?)[\s:]*(?:is not found|cannot)"
)


@dataclass(frozen=True, slots=True)
class Device:
    """A device.

    Attributes:
        kind: What it is.
        index: Which one, as CUDA counts those that this process sees.
    """

    kind: Literal["cpu", "cuda"]
    index: int = 0

    @classmethod
    def parse(cls, name: str) -> Device:
        """The device of a name; raises ValueError where it is none."""
        found = _NAME.fullmatch(name)
        if found is None:
            raise ValueError("is none of cpu, cuda and cuda:N")
        return cls("cuda" if name.startswith("cuda") else "cpu", int(found[1] or 0))


def _checked(name: str) -> str:
    Device.parse(name)
    return name


DeviceName = Annotated[str, AfterValidator(_checked)]
"""A setting that names a device."""


def require(name: str, setting: str, library: str, count: Callable[[], int]) -> Device:
    """The device of a name, if a library finds it.

    Args:
        name: The device's.
        setting: The variable that named it, for errors.
        library: Who is to use it.
        count: Says how many CUDA devices it finds.

    Raises:
        ResourceMissing: There is no such device.
    """
    device = Device.parse(name)
    if device.kind == "cuda":
        try:
            found = count()
        except RuntimeError as error:
            why = str(error).partition("\n")[0]
            raise not_usable(name, setting, f"{library} cannot use CUDA ({why})") from None
        if device.index >= found:
            raise not_usable(name, setting, f"{library} finds {found} CUDA devices")
    return device


def ctranslate2_devices() -> int:
    """How many CUDA devices CTranslate2 finds."""
    import ctranslate2

    return int(ctranslate2.get_cuda_device_count())


def not_usable(name: str, setting: str, why: str, remedy: str = "") -> ResourceMissing:
    """The error of a device that is set and cannot be used."""
    return ResourceMissing(f"{setting} is {name}, but {why}", remedy or "set it to cpu")


def missing_library(error: BaseException) -> ResourceMissing | None:
    """The library of CUDA that an error says is not there, and what to do; None for another."""
    found = _NO_LIBRARY.search(str(error))
    if found is None:
        return None
    return ResourceMissing(
        f"{found[1]} cannot be loaded",
        "install the CUDA libraries as docs/gpu.md says, or set the server's device to cpu",
    )
