"""Text generation through `viva.llm.v1.LlmService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import grpc
from viva.llm.v1 import llm_pb2, llm_pb2_grpc
from viva.serving.v1 import serving_pb2

from services.interview.clients.failures import failures
from services.interview.clients.seams import ChatMessage
from services.runtime.channel import outgoing

CHAT_SECONDS = 30.0
REPETITION_PENALTY = 1.1
"""Small models repeat themselves without it."""

_ROLES = {
    "system": llm_pb2.ROLE_SYSTEM,
    "user": llm_pb2.ROLE_USER,
    "assistant": llm_pb2.ROLE_ASSISTANT,
}


class LlmClient:
    """A chat model behind a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: llm_pb2_grpc.LlmServiceAsyncStub = llm_pb2_grpc.LlmServiceStub(channel)

    async def chat(
        self,
        messages: Sequence[ChatMessage],
        *,
        max_tokens: int,
        stop: Sequence[str],
        json_schema: str | None = None,
    ) -> AsyncGenerator[str, None]:
        """The likeliest answer, piece by piece; closing the generator stops the model.

        With `json_schema` the whole answer is a JSON value that the schema accepts.
        """
        request = llm_pb2.ChatRequest(
            messages=[
                llm_pb2.Message(role=_ROLES[message.role], content=message.content)
                for message in messages
            ],
            sampling=llm_pb2.Sampling(temperature=0.0, repetition_penalty=REPETITION_PENALTY),
            max_tokens=max_tokens,
            stop=stop,
            priority=serving_pb2.PRIORITY_INTERACTIVE,
        )
        if json_schema is not None:
            request.json_schema = json_schema
        call = self._stub.Chat(request, **outgoing(CHAT_SECONDS))
        try:
            with failures("llm"):
                async for response in call:
                    # An empty one would carry what the model thinks.
                    if response.delta.text:
                        yield response.delta.text
        finally:
            call.cancel()
