"""What the language model server counts, beside what every server counts."""

from __future__ import annotations

from prometheus_client import Counter

TOKENS = Counter(
    "viva_llm_generated_tokens", "Tokens this process's model generated, whoever waited for them."
)
