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
MOST_TYPED_CLAUSES = 2
"""A word that is a wish when it is typed, and a politeness."""
MOST_FILLERS = 4
"""So many in a row stand around a command: every way to part them is tried."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What commands look like in a language, clause by clause.

    Attributes:
        cores: The command itself, without what may stand around it.
        reasons: Why it is said ("I don't know"), and politeness; no command by itself.
        repairs: Whole utterances that ask for the last line again ("Sorry?"), where an answer is
            expected (Dingemanse et al. 2013), or that the interview goes on: "Don't end it." A
            question mark is seen behind them.
        clear: Makes a request of a command: who is asked, or for what.
        circumstances: Beside a clear request a clause in words of one's own says why, if it is of
            this form.
        holding: The same beside "hold on", where content often follows.
        typed: Whole utterances that are commands when they are typed; a word that is said may be
            the rest of another.
        reports: Whoever reports what was said does not ask for it.
    """

    cores: Mapping[CommandName, re.Pattern[str]]
    reasons: re.Pattern[str]
    repairs: re.Pattern[str]
    clear: re.Pattern[str]
    circumstances: re.Pattern[str]
    holding: re.Pattern[str]
    typed: Mapping[CommandName, re.Pattern[str]]
    reports: re.Pattern[str]

    def command(
        self, utterance: Utterance, *, silent: bool, typed: bool = False
    ) -> CommandName | None:
        """The command that the whole utterance is; None when anything else is said, too.

        Of several ("Hold on, can you repeat that?") the last counts.
        """
        clauses = utterance.clauses
        if len(clauses) > MOST_CLAUSES or sum(map(len, clauses)) > MOST_LETTERS:
            return None
        if (silent or utterance.asks) and self.repairs.fullmatch(
            " ".join(clauses) + "?" * utterance.asks
        ):
            return "repeat"
        if typed and len(clauses) <= MOST_TYPED_CLAUSES:
            for wish, whole in self.typed.items():
                if whole.fullmatch(" ".join(clauses)):
                    return wish
        found: CommandName | None = None
        others: list[str] = []
        clear = False
        for clause in clauses:
            command = self._clause(clause)
            if command is not None:
                found = command
                clear = clear or self.clear.search(clause) is not None
            elif not self.reasons.fullmatch(clause):
                others.append(clause)
        if others and not (clear and len(others) == 1 and self._explains(others[0], found)):
            return None
        return found

    def _explains(self, clause: str, command: CommandName | None) -> bool:
        """Whether a clause beside a clear request is why it is made, and no content."""
        circumstances = self.holding if command == "hold" else self.circumstances
        return circumstances.fullmatch(clause) is not None and not self.reports.search(clause)

    def _clause(self, clause: str) -> CommandName | None:
        for command, core in self.cores.items():
            if core.fullmatch(clause):
                return command
        return None


def grammar(
    cores: Mapping[CommandName, str],
    *,
    lead: str,
    tail: str,
    reasons: str,
    repairs: str,
    clear: str,
    circumstances: str,
    holding: str,
    typed: Mapping[CommandName, str],
    reports: str,
) -> Grammar:
    """Makes a grammar of patterns: `lead` and `tail` match one filler, with its space."""
    around = f"(?:{lead}){{{{0,{MOST_FILLERS}}}}}(?:{{}})(?:{tail}){{{{0,{MOST_FILLERS}}}}}"
    because = f"(?:(?:{reasons})(?: |(?![a-z])))?(?:{lead}){{0,2}}"
    return Grammar(
        {
            command: re.compile(around.format(f"{because}(?:{core})"))
            for command, core in cores.items()
        },
        re.compile(around.format(f"(?:{reasons})?")),
        re.compile(rf"(?:{repairs})\??"),
        re.compile(clear),
        re.compile(circumstances),
        re.compile(holding),
        {command: re.compile(whole) for command, whole in typed.items()},
        re.compile(reports),
    )
