"""The Triton engine against a real Triton server on the repository that we generate."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from viva.asr.v1 import asr_pb2

from services.asr.engines.engine import Window, decode_fully
from services.asr.engines.selection import weights
from services.asr.engines.triton import TritonRecognizer
from services.asr.engines.triton_repository import write_repository
from services.asr.engines.whisper_ctranslate2 import WhisperCTranslate2
from services.runtime.errors import ResourceMissing, Unavailable
from services.runtime.settings import default_data_dir
from tests.asr.audio import encoded, read_wav, silence, words
from tests.asr.conftest import serve
from tests.recordings import librivox
from tests.triton.server import Triton, running_triton


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    repository = tmp_path_factory.mktemp("repository")
    folder, version = weights("base", default_data_dir())
    write_repository(
        repository, name="whisper", weights=folder, model="whisper-base", version=version
    )
    with running_triton(repository) as server:
        yield server
    shutil.rmtree(repository)


@pytest.fixture
def recognizer(triton: Triton) -> Iterator[TritonRecognizer]:
    engine = TritonRecognizer.connect(triton.grpc_address, "whisper", timeout=60)
    yield engine
    engine.close()


def test_it_says_what_the_engine_in_process_says(
    recognizer: TritonRecognizer, base: WhisperCTranslate2
) -> None:
    samples = [read_wav(recording.path) for recording in librivox()[1:3]]
    windows = [
        Window(samples[0], word_offsets=True),
        Window(samples[1], language="en", hints=("cold-hearted",)),
        Window(silence(2)),
    ]
    remote = recognizer.decode(windows)
    local = [decode_fully(base, [window])[0] for window in windows]
    assert [h.text for h in remote] == [h.text for h in local]  # type: ignore[union-attr]
    assert [w.text for w in remote[0].words] == [w.text for w in local[0].words]  # type: ignore[union-attr]
    assert recognizer.info.languages == base.info.languages


def test_a_missing_model_or_server_is_said_before_anything_is_served(triton: Triton) -> None:
    with pytest.raises(ResourceMissing, match="VIVA_ASR_TRITON"):
        TritonRecognizer.connect(triton.grpc_address, "nobody", timeout=5)
    with pytest.raises(ResourceMissing, match="VIVA_ASR_TRITON"):
        TritonRecognizer.connect("127.0.0.1:1", "whisper", timeout=5)


async def test_the_service_runs_on_it(triton: Triton) -> None:
    async with serve(engine="triton", triton_address=triton.grpc_address) as stub:
        listed = await stub.ListModels(asr_pb2.ListModelsRequest(), timeout=10)
        assert [(m.name, m.engine, m.device) for m in listed.models] == [
            ("whisper-base", "triton", triton.grpc_address)
        ]
        file = encoded(read_wav(librivox()[4].path), 16_000, "WAV")
        answer = await stub.Recognize(asr_pb2.RecognizeRequest(audio=file), timeout=60)
        assert "himself" in words(answer.text)


def test_a_server_that_goes_away_is_unavailable(tmp_path: Path) -> None:
    folder, _ = weights("tiny.en", default_data_dir())
    write_repository(tmp_path, name="whisper", weights=folder, model="tiny", threads=1)
    with running_triton(tmp_path) as server:
        engine = TritonRecognizer.connect(server.grpc_address, "whisper", timeout=20)
    with pytest.raises(Unavailable):
        engine.decode([Window(silence(1))])
    engine.close()
