"""Hand-made answers: which key points each one makes, and which it does not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Judged:
    question_id: str
    answer: str
    makes: frozenset[int]
    """Indices of the key points a person would say are made."""


JUDGED = (
    Judged(
        "tech-data-index",
        "An index is a separate structure that lets the database jump to the matching rows instead"
        " of scanning the whole table. Most of the time it is a B-tree. But each index has to be"
        " updated whenever you write, so inserts get slower.",
        frozenset({0, 1, 2}),
    ),
    Judged(
        "tech-data-slow-query",
        "First I run explain and read the query plan. Often an index is missing and the database"
        " does a full table scan. I also look whether the table has grown or the statistics are"
        " stale. After every change I measure the time again.",
        frozenset({0, 1, 2, 4}),
    ),
    Judged(
        "tech-sys-retries",
        "When a service is overloaded and every client tries again at once, it gets even more"
        " traffic. So you wait exponentially longer between attempts and add some jitter, and you"
        " give up after three tries. A circuit breaker helps too.",
        frozenset({0, 1, 2, 3}),
    ),
    Judged(
        "tech-craft-debugging",
        "I try to reproduce the problem first. Then I cut the example down until only a few lines"
        " are left, and I make a guess and check it. When it is fixed I write a regression test.",
        frozenset({0, 1, 2, 4}),
    ),
    Judged(
        "beh-work-failure",
        "I deployed a change on a Friday and took the shop down for two hours. It was my fault,"
        " because I had skipped the staging test. Since then I never deploy without a checklist.",
        frozenset({0, 1, 2, 3}),
    ),
    Judged(
        "beh-people-conflict",
        "A colleague and I argued about the database schema for weeks. I asked him for a coffee and"
        " we talked about it openly. We found out that we both wanted simple queries, and today we"
        " work together very well.",
        frozenset({1, 2, 3}),
    ),
    Judged(
        "soft-handle-criticism",
        "I breathe in and try not to justify myself. I ask them for a concrete example, and I"
        " remind myself that it is about the document and not about me.",
        frozenset({0, 1, 2}),
    ),
    Judged(
        "intro-weakness",
        "I find it hard to delegate; I tend to do everything myself. I now plan one task each week"
        " that I hand over, and my team tells me that it is getting better.",
        frozenset({0, 1, 2, 3}),
    ),
    Judged(
        "tech-data-index",
        "On weekends I like to go hiking in the mountains with my dog. The weather was lovely last"
        " Sunday, and we had lunch by a lake.",
        frozenset(),
    ),
    Judged(
        "tech-sys-containers",
        "He might have been made still more respectable than he was. Had he married a more amiable"
        " woman, he might even have been made amiable himself.",
        frozenset(),
    ),
    Judged(
        "beh-people-mentor",
        "Our cafeteria serves pasta on Mondays and fish on Fridays. I usually bring my own lunch"
        " because the queue is long.",
        frozenset(),
    ),
    Judged(
        "soft-time-management",
        "In the morning I pick the two most important tasks and block the first hours for them with"
        " all notifications off. I keep some slack for things that come up, and on Friday I review"
        " how the week went.",
        frozenset({0, 1, 2, 3}),
    ),
)
