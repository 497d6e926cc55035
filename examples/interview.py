"""Holds a written interview in the terminal: `python examples/interview.py` while `viva up` runs.

Type an answer and Enter; an empty line leaves, and the interview waits.
"""

import asyncio
import sys

import grpc

from services.client import InterviewFailed, Viva


async def main(address: str) -> None:
    async with Viva(address) as viva:
        interview = await viva.create_interview(rounds=2, follow_ups=0)
        async with viva.conversation(interview.id, text_only=True) as conversation:
            async for event in conversation.events():
                match event.WhichOneof("event"):
                    case "utterance_ended":
                        print(f"Interviewer: {event.utterance_ended.turn.text}", flush=True)
                        if conversation.awaits_answer:
                            answer = await asyncio.to_thread(sys.stdin.readline)
                            if not answer.strip():
                                return
                            await conversation.answer(answer.strip())
                    case "report_ready":
                        print(f"Report: {event.report_ready.report.summary}")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:] or ["localhost:7000"]))
    except grpc.aio.AioRpcError as error:
        sys.exit(f"{error.code().name}: {error.details()}")
    except InterviewFailed as error:
        sys.exit(str(error))
