"""`viva.interview.v1.QuestionService` on the wire."""

from __future__ import annotations

from typing import Any

import grpc
from viva.interview.v1 import question_service_pb2 as pb
from viva.interview.v1 import question_service_pb2_grpc

from services.interview.interviewer.personas import primary
from services.interview.questions.bank import Bank, Question
from services.interview.questions.index import QuestionIndex
from services.interview.tokens import page_start, page_token
from services.interview.wire import records
from services.runtime.errors import NotFound

PAGE_SIZE = 10

_Context = grpc.aio.ServicerContext[Any, Any]


class QuestionServicer(question_service_pb2_grpc.QuestionServiceServicer):
    """Translates between the contract and the bank."""

    def __init__(self, bank: Bank, index: QuestionIndex) -> None:
        self._bank = bank
        self._index = index

    async def SearchQuestions(
        self, request: pb.SearchQuestionsRequest, context: _Context
    ) -> pb.SearchQuestionsResponse:
        """Finds questions by meaning, category, difficulty, tags and language."""
        tags = set(request.tags)
        language = primary(request.language) if request.HasField("language") else None

        def accepts(question: Question) -> bool:
            return (
                request.category in {0, question.category}
                and request.difficulty in {0, question.difficulty}
                and tags.issubset(question.tags)
                and language in {None, primary(question.language)}
            )

        bound_to = ("questions", _conditions(request))
        token = request.page_token if request.HasField("page_token") else None
        size = request.page_size if request.HasField("page_size") else PAGE_SIZE
        start = page_start(token, *bound_to)
        query = request.query if request.HasField("query") else None
        # One more than is shown tells whether there is another page.
        found = (await self._index.search(query, accepts, start + size + 1))[start:]
        following = str(start + size) if len(found) > size else None
        return pb.SearchQuestionsResponse(
            results=[
                pb.FoundQuestion(question=records.question(result.question), score=result.score)
                for result in found[:size]
            ],
            next_page_token=page_token(following, *bound_to) if following else "",
        )

    async def GetQuestion(
        self, request: pb.GetQuestionRequest, context: _Context
    ) -> pb.GetQuestionResponse:
        """Reads a question."""
        question = self._bank.find(request.question_id)
        if question is None:
            raise NotFound("question", request.question_id, "question_id")
        return pb.GetQuestionResponse(question=records.question(question))


def _conditions(request: pb.SearchQuestionsRequest) -> str:
    """What a search looks for, apart from the page."""
    search = pb.SearchQuestionsRequest()
    search.CopyFrom(request)
    search.ClearField("page_size")
    search.ClearField("page_token")
    return search.SerializeToString(deterministic=True).hex()
