"""The page has words of its own, in both languages, for every reason that its servers give."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.envoy.local_replies import REFUSALS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "edge/web/src"
SERVERS = ("services/interview", "services/runtime", "edge/gateway")
"""What the page calls, and what these are made of."""
NO_REASONS = {
    "CEILING_SECONDS",
    "FIRST_COMPLETED",
    "INVALID_ARGUMENT",
    "KIND_CPU",
    "KIND_GPU",
    "NOT_SERVING",
    "PG_VERSION",
    "SESSION_VERSION",
    "TOKENIZERS_PARALLELISM",
}
"""Words in capitals that are something else."""


def reasons_given() -> Iterator[tuple[str, str]]:
    """Every reason in the servers' code, with the file that gives it."""
    for refusal in REFUSALS:
        yield refusal.reason, "edge/envoy/local_replies.py"
    for folder in SERVERS:
        for path in (ROOT / folder).rglob("*.py"):
            where = str(path.relative_to(ROOT))
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Constant(value=str(word)) if re.fullmatch(
                        r"[A-Z]{2,}(_[A-Z]+)+", word
                    ):
                        yield word, where
                    case ast.Assign(
                        targets=[ast.Name(id="reason")], value=ast.Constant(value=str(word))
                    ):
                        yield word, where


GIVEN = {
    reason: where
    for reason, where in reasons_given()
    if reason not in NO_REASONS and not reason.startswith("VIVA_")
}


def told() -> dict[str, str]:
    """The kind of failure that the page tells for each reason."""
    source = (PAGE / "wire/failures.ts").read_text("utf-8")
    table = source.split("const BY_REASON", 1)[1].split("};", 1)[0]
    return dict(re.findall(r'^\s+([A-Z_]+): "(\w+)"', table, re.MULTILINE))


def words(language: str) -> dict[str, str]:
    """The words of each kind, title and advice."""
    source = (PAGE / f"words/{language}/failures.ts").read_text("utf-8")
    found = re.findall(r'(\w+): \{ title: "([^"]+)", advice: "([^"]+)" \}', source)
    return {kind: f"{title} {advice}" for kind, title, advice in found}


def test_the_reasons_are_found() -> None:
    assert {"TAKEN_OVER", "STORE_LOST", "OVERLOADED", "REFRESH_RACED", "RATE_LIMITED"} <= set(GIVEN)
    assert len(GIVEN) > 40


@pytest.mark.parametrize("reason", sorted(GIVEN))
def test_a_reason_has_words_in_both_languages(reason: str) -> None:
    kind = told().get(reason)
    assert kind is not None, f"{GIVEN[reason]} gives {reason}; the page has no words for it"
    assert re.search(r"[\u4e00-\u9fff]", words("zh-CN")[kind])
    assert re.search(r"[a-z]", words("en")[kind])


def test_every_kind_has_the_same_place_in_both_languages() -> None:
    assert words("en").keys() == words("zh-CN").keys()
    assert set(told().values()) <= words("en").keys()
    written = [re.sub(r"\{\w+\}", "", text) for text in words("zh-CN").values()]
    assert not [text for text in written if re.search(r"[A-Za-z]{3,}", text)]
