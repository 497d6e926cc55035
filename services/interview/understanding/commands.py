"""Commands as whole short utterances: politeness around them is borne, content is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from services.interview.understanding.wording import Utterance

CommandName = Literal["repeat", "rephrase", "hold", "skip", "end"]
MOST_CLAUSES = 5
MOST_LETTERS = 120
"""Who says more than that says something."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What commands look like in a language, clause by clause.

    Attributes:
        cores: The command itself, without what may stand around it.
        reasons: Why it is said ("I don't know"), and politeness; no command by itself.
        repairs: Whole utterances that ask for the last line again ("Sorry?"), where an answer is
            expected (Dingemanse et al. 2013).
    """

    cores: Mapping[CommandName, re.Pattern[str]]
    reasons: re.Pattern[str]
    repairs: re.Pattern[str]

    def command(self, utterance: Utterance, *, silent: bool) -> CommandName | None:
        """The command that the whole utterance is; None when anything else is said, too.

        Of several ("Hold on, can you repeat that?") the last counts.
        """
        clauses = utterance.clauses
        if len(clauses) > MOST_CLAUSES or sum(map(len, clauses)) > MOST_LETTERS:
            return None
        if (silent or utterance.asks) and self.repairs.fullmatch(" ".join(clauses)):
            return "repeat"
        found: CommandName | None = None
        for clause in clauses:
            command = self._clause(clause)
            if command is not None:
                found = command
            elif not self.reasons.fullmatch(clause):
                return None
        return found

    def _clause(self, clause: str) -> CommandName | None:
        for command, core in self.cores.items():
            if core.fullmatch(clause):
                return command
        return None


def grammar(
    cores: Mapping[CommandName, str], *, lead: str, tail: str, reasons: str, repairs: str
) -> Grammar:
    """Makes a grammar of patterns: `lead` and `tail` match one filler, with its space."""
    around = f"(?:{lead})*(?:{{}})(?:{tail})*"
    because = f"(?:(?:{reasons})(?: |(?![a-z])))?"
    return Grammar(
        {
            command: re.compile(around.format(f"{because}(?:{lead})*(?:{core})"))
            for command, core in cores.items()
        },
        re.compile(around.format(f"(?:{reasons})?")),
        re.compile(repairs),
    )
