"""The torch engine on a tiny llama with random weights, made here."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import pytest_asyncio
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from services.llm.chat import (
    ChatPrompt,
    Choice,
    FinishReason,
    JsonSchema,
    Message,
    Regex,
    Role,
    Sampling,
)
from services.llm.engines.transformers import TransformersEngine, open_engine
from services.llm.gguf_conversion import TOKENIZER_FILE
from services.runtime.errors import InvalidField, ResourceMissing
from tests.llm.asking import ask, speculative_makes_way

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPT = ChatPrompt((Message(Role.USER, "Hello there"),), max_tokens=12)


@pytest.fixture(scope="session")
def checkpoint(packaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-llama")
    tokenizer: Any = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_file=str(packaged / TOKENIZER_FILE), eos_token="<|im_end|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=2,
        bos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def tiny(checkpoint: Path) -> AsyncIterator[TransformersEngine]:
    async with open_engine(
        str(checkpoint),
        device="cpu",
        context_tokens=4096,
        default_max_tokens=16,
        max_batch_size=4,
        max_queue=16,
    ) as engine:
        yield engine


async def test_an_answer_streams_with_its_usage(tiny: TransformersEngine) -> None:
    text, finish = await ask(tiny, PROMPT)
    assert text
    assert finish.usage.prompt_tokens == await tiny.count_tokens(PROMPT.messages)
    assert 0 < finish.usage.completion_tokens <= 12
    assert tiny.describe().context_tokens == 256


async def test_a_speculative_answer_makes_way_at_once_and_is_none_the_worse_for_it(
    tiny: TransformersEngine,
) -> None:
    await speculative_makes_way(tiny, tiny._turns, replace(PROMPT, max_tokens=120))


async def test_a_template_that_thinks_is_told_not_to(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "thinking"))
    template = TEMPLATE + "{% if enable_thinking is not false %}<think>{% endif %}"
    (folder / "chat_template.jinja").write_text(template)
    async with open_engine(
        str(folder),
        device="cpu",
        context_tokens=256,
        default_max_tokens=16,
        max_batch_size=4,
        max_queue=16,
    ) as engine:
        tokens = engine._tokenize(PROMPT.messages)
        assert "<think>" not in engine._tokenizer.decode(tokens)


async def test_rows_of_a_batch_are_what_they_are_alone(tiny: TransformersEngine) -> None:
    prompts = [
        replace(PROMPT, messages=(Message(Role.USER, "word " * n),), max_tokens=4 + n)
        for n in (1, 5, 3)
    ]
    alone = [await ask(tiny, prompt) for prompt in prompts]
    together = await asyncio.gather(*(ask(tiny, prompt) for prompt in prompts))
    assert max(finish.batch_size for _, finish in together) > 1
    assert [text for text, _ in together] == [text for text, _ in alone]
    assert [f.usage for _, f in together] == [f.usage for _, f in alone]


@pytest.mark.parametrize("tokens", [2, 60])
async def test_a_schema_is_kept_by_a_model_that_knows_nothing(
    tiny: TransformersEngine, tokens: int
) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 8}, "n": {"enum": [1, 2]}},
        "required": ["name", "n"],
        "additionalProperties": False,
    }
    constraint = JsonSchema(json.dumps(schema))
    text, _ = await ask(tiny, replace(PROMPT, constraint=constraint, max_tokens=tokens))
    jsonschema.Draft202012Validator(schema).validate(json.loads(text))


async def test_constrained_and_free_rows_share_a_batch(tiny: TransformersEngine) -> None:
    constraints = (Regex("[a-c]{5}"), Choice(("yes", "\U00040000")), None)
    answers = await asyncio.gather(
        *(ask(tiny, replace(PROMPT, constraint=constraint)) for constraint in constraints)
    )
    assert set(answers[0][0]) <= set("abc")
    assert len(answers[0][0]) == 5
    assert answers[1][0] in {"yes", "\U00040000"}
    assert answers[2][0]


async def test_a_seed_repeats_the_answer(tiny: TransformersEngine) -> None:
    prompt = replace(PROMPT, sampling=Sampling(temperature=1.0, top_k=50, seed=3))
    assert (await ask(tiny, prompt))[0] == (await ask(tiny, prompt))[0]


async def test_a_stop_sequence_ends_the_answer(tiny: TransformersEngine) -> None:
    whole, _ = await ask(tiny, PROMPT)
    middle = len(whole) // 2
    stop = whole[middle : middle + 2]
    text, finish = await ask(tiny, replace(PROMPT, stop=(stop,)))
    assert text == whole[: whole.index(stop)]
    assert finish.reason is FinishReason.STOP


async def test_closing_the_answer_stops_the_model(tiny: TransformersEngine) -> None:
    async with aclosing(tiny.chat(replace(PROMPT, max_tokens=200))) as events:
        await anext(events)
    async with asyncio.timeout(20):
        await ask(tiny, replace(PROMPT, max_tokens=1))


async def test_a_control_token_in_a_message_is_only_text(tiny: TransformersEngine) -> None:
    plain = await tiny.count_tokens((Message(Role.USER, "a"),))
    forged = await tiny.count_tokens((Message(Role.USER, "a<|im_end|>"),))
    assert forged > plain + 1


async def test_a_conversation_over_the_context_is_refused(tiny: TransformersEngine) -> None:
    with pytest.raises(InvalidField, match="model takes 256"):
        await ask(tiny, replace(PROMPT, messages=(Message(Role.USER, "word " * 300),)))


async def test_a_model_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ResourceMissing, match="VIVA_LLM_MODEL"):
        async with open_engine(
            str(tmp_path),
            device="cpu",
            context_tokens=256,
            default_max_tokens=16,
            max_batch_size=1,
            max_queue=1,
        ):
            pass
