"""Texts to tokens: the limit, what is cut, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

from services.embed.engines.selection import tokenization
from services.embed.model_files import read_model_files
from services.embed.tokenization import NamedText, Overflow, Purpose, Tokenization
from services.runtime.errors import InvalidFields
from tests.embed.checkpoints import tiny_bert
from tests.embed.conftest import SENTENCES


@pytest.fixture(scope="module")
def minilm(model_folder: Path) -> Tokenization:
    return tokenization(read_model_files(model_folder))


def read(
    tokenizer: Tokenization,
    *texts: str,
    purpose: Purpose = Purpose.PASSAGE,
    overflow: Overflow = Overflow.REFUSE,
) -> list[tuple[int, ...]]:
    named = [NamedText(f"inputs[{n}]", text) for n, text in enumerate(texts)]
    return [text.ids for text in tokenizer.tokenize(named, purpose, overflow)]


def test_tokens_and_cuts_are_those_of_sentence_transformers(
    minilm: Tokenization, reference: SentenceTransformer
) -> None:
    texts = [*SENTENCES, "word " * 5000]
    for ids, text in zip(read(minilm, *texts, overflow=Overflow.TRUNCATE), texts, strict=True):
        assert list(ids) == reference.tokenize([text])["input_ids"][0].tolist()


def test_a_text_over_the_limit_is_refused_with_its_length(minilm: Tokenization) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read(minilm, "fine", "word " * 254, "word " * 255)
    assert refusal.value.violations == (("inputs[2]", "257 tokens; the model takes 256"),)


def test_a_cut_text_says_so(minilm: Tokenization) -> None:
    texts = [NamedText("a", "word " * 300), NamedText("b", "short")]
    long, short = minilm.tokenize(texts, Purpose.PASSAGE, Overflow.TRUNCATE)
    assert (len(long.ids), long.truncated) == (256, True)
    assert (len(short.ids), short.truncated) == (3, False)


@pytest.mark.parametrize(
    "text",
    [" ", "\n\t\r", "\0\x07\x1b", "\u200b\u200d\ufeff", "\u3000", " \u00ad\0 "],
    ids=["space", "line ends", "controls", "zero width", "ideographic space", "mixed"],
)
def test_a_text_with_nothing_to_see_is_refused(minilm: Tokenization, text: str) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read(minilm, "fine", text)
    assert refusal.value.violations == (("inputs[1]", "has no visible character"),)


def test_a_text_the_vocabulary_drops_is_refused(minilm: Tokenization) -> None:
    with pytest.raises(InvalidFields) as refusal:
        read(minilm, "\u0301\u0302")  # accents alone, which the model strips
    assert refusal.value.violations == (("inputs[0]", "holds nothing the model can read"),)


def test_control_characters_inside_a_text_are_harmless(minilm: Tokenization) -> None:
    assert read(minilm, "dead\0lock \x1bnow") == read(minilm, "deadlock now")


def test_instructions_go_before_the_text_by_purpose(tmp_path: Path) -> None:
    tokenizer = tokenization(read_model_files(tiny_bert(tmp_path, prompts=True)))
    assert read(tokenizer, "abc", purpose=Purpose.QUERY) == _plain(tmp_path, "query: abc")
    assert read(tokenizer, "abc", purpose=Purpose.PASSAGE) == _plain(tmp_path, "passage: abc")


def test_an_instruction_does_not_make_an_empty_text_readable(tmp_path: Path) -> None:
    tokenizer = tokenization(read_model_files(tiny_bert(tmp_path, prompts=True)))
    with pytest.raises(InvalidFields):
        read(tokenizer, "\u200b")


def test_of_a_pair_the_document_is_cut(bert_folder: Path) -> None:
    tokenizer = tokenization(read_model_files(bert_folder))
    query, documents = NamedText("query", "abc"), [NamedText("documents[0]", "a " * 100)]
    (pair,) = tokenizer.tokenize_pairs(query, documents, Overflow.TRUNCATE)
    assert len(pair.ids) == len(pair.types) == 64
    assert pair.truncated
    assert pair.types == (0,) * 5 + (1,) * 59
    with pytest.raises(InvalidFields) as refusal:
        tokenizer.tokenize_pairs(query, documents, Overflow.REFUSE)
    assert refusal.value.violations == (
        ("documents[0]", "100 tokens; beside this query the model takes 58"),
    )


def test_a_query_leaves_room_for_documents(bert_folder: Path) -> None:
    tokenizer = tokenization(read_model_files(bert_folder))
    query, documents = NamedText("query", "a " * 50), [NamedText("documents[0]", "b")]
    with pytest.raises(InvalidFields) as refusal:
        tokenizer.tokenize_pairs(query, documents, Overflow.REFUSE)
    assert refusal.value.violations == (("query", "50 tokens; the model takes 30"),)
    (pair,) = tokenizer.tokenize_pairs(query, documents, Overflow.TRUNCATE)
    assert pair.truncated
    assert sum(pair.types) == 2


def _plain(folder: Path, text: str) -> list[tuple[int, ...]]:
    files = read_model_files(folder)
    bare = Tokenizer.from_file(str(files.tokenizer))
    return read(Tokenization(bare, files.max_tokens, {}), text)
