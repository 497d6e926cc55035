"""The Python client: interviews and recognition for programs, over one channel.

    async with Viva("localhost:7000") as viva:
        interview = await viva.create_interview(rounds=3)
        async with viva.conversation(interview.id) as conversation:
            async for event in conversation.events():
                ...

`Conversation` joins again when its connection breaks, and says again what the server had not
acknowledged of the candidate's audio. Errors are `grpc.aio.AioRpcError` and `InterviewFailed`.
"""

from services.client.conversation import Conversation, InterviewFailed
from services.client.viva import Viva

__all__ = ["Conversation", "InterviewFailed", "Viva"]
