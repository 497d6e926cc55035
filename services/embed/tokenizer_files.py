"""A model folder's tokenizer, whichever files it comes in."""

from __future__ import annotations

from tokenizers import Tokenizer

from services.embed.model_files import ModelFiles
from services.runtime.errors import ResourceMissing


def load_tokenizer(files: ModelFiles) -> Tokenizer:
    """The tokenizer: from tokenizer.json, else from the vocabulary by way of transformers.

    Raises:
        ResourceMissing: There is none, or it has tokens the model has no embedding for: those
            would fail inside the model, on CUDA for good.
    """
    tokenizer = _read(files)
    highest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    embedded = int(files.config.get("vocab_size", highest + 1))
    if highest >= embedded:
        raise ResourceMissing(
            f"the tokenizer of {files.weights} knows {highest + 1} tokens, the model {embedded}",
            "take the tokenizer that belongs to the model",
        )
    return tokenizer


def _read(files: ModelFiles) -> Tokenizer:
    if files.tokenizer.is_file():
        return Tokenizer.from_file(str(files.tokenizer))
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError:
        raise ResourceMissing(
            f"{files.weights} holds no tokenizer.json, and making one needs transformers",
            "install viva-mesh[torch]",
        ) from None
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
            files.weights, local_files_only=True
        ).backend_tokenizer
    except (OSError, ValueError, AttributeError) as error:
        raise ResourceMissing(
            f"{files.weights} holds no tokenizer ({type(error).__name__})",
            "take a folder with a tokenizer.json",
        ) from None
    return tokenizer
