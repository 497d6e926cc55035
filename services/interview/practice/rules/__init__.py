"""What learners of English say, and how it is said.

The mistakes are those that grammars for learners name (Swan, Practical English Usage, 4th edition;
Parrott, Grammar for English Language Teachers).
"""

from __future__ import annotations

from services.interview.practice.rules.agreement import AGREEMENT
from services.interview.practice.rules.articles import ARTICLES
from services.interview.practice.rules.asking import ASKING
from services.interview.practice.rules.comparing import COMPARING
from services.interview.practice.rules.complements import COMPLEMENTS
from services.interview.practice.rules.counting import COUNTING
from services.interview.practice.rules.prepositions import PREPOSITIONS
from services.interview.practice.rules.rule import Rule
from services.interview.practice.rules.tenses import TENSES
from services.interview.practice.rules.verb_forms import VERB_FORMS
from services.interview.practice.rules.wording import WORDING

RULES: tuple[Rule, ...] = (
    *TENSES,
    *VERB_FORMS,
    *COMPLEMENTS,
    *AGREEMENT,
    *ASKING,
    *COUNTING,
    *COMPARING,
    *PREPOSITIONS,
    *WORDING,
    *ARTICLES,
)
"""All rules; of two that find the same words the earlier one stands."""
