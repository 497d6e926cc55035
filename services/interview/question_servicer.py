"""`viva.interview.v1.QuestionService` on the wire."""

from __future__ import annotations

from typing import Any

import grpc
from viva.interview.v1 import question_pb2, question_pb2_grpc

from services.interview import wire
from services.interview.questions.bank import Bank, Question
from services.interview.questions.index import QuestionIndex
from services.runtime.errors import NotFound

DEFAULT_LIMIT = 10

_Context = grpc.aio.ServicerContext[Any, Any]


class QuestionServicer(question_pb2_grpc.QuestionServiceServicer):
    """Translates between the contract and the bank."""

    def __init__(self, bank: Bank, index: QuestionIndex) -> None:
        self._bank = bank
        self._index = index

    async def SearchQuestions(
        self, request: question_pb2.SearchQuestionsRequest, context: _Context
    ) -> question_pb2.SearchQuestionsResponse:
        """Finds questions by meaning, category and difficulty."""
        tags = set(request.tags)

        def accepts(question: Question) -> bool:
            return (
                request.category in {0, question.category}
                and request.difficulty in {0, question.difficulty}
                and tags.issubset(question.tags)
            )

        query = request.query if request.HasField("query") else None
        found = await self._index.search(query, accepts, request.limit or DEFAULT_LIMIT)
        return question_pb2.SearchQuestionsResponse(
            results=[
                question_pb2.FoundQuestion(
                    question=wire.question(result.question), score=result.score
                )
                for result in found
            ]
        )

    async def GetQuestion(
        self, request: question_pb2.GetQuestionRequest, context: _Context
    ) -> question_pb2.GetQuestionResponse:
        """Reads a question."""
        question = self._bank.find(request.question_id)
        if question is None:
            raise NotFound("question", request.question_id, "question_id")
        return question_pb2.GetQuestionResponse(question=wire.question(question))
