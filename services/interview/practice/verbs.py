"""Forms of the English verbs that learners use most."""

from __future__ import annotations

_IRREGULAR = """
    be was been, become became become, begin began begun, break broke broken, bring brought brought,
    build built built, buy bought bought, catch caught caught, choose chose chosen, come came come,
    do did done, drink drank drunk, drive drove driven, eat ate eaten, fall fell fallen,
    feel felt felt, find found found, fly flew flown, forget forgot forgotten, get got got,
    give gave given, go went gone, grow grew grown, have had had, hear heard heard,
    keep kept kept, know knew known, leave left left, lose lost lost, make made made,
    meet met met, pay paid paid, put put put, read read read, ride rode ridden, run ran run,
    say said said, see saw seen,
    sell sold sold, send sent sent, sing sang sung, sit sat sat, sleep slept slept,
    speak spoke spoken, spend spent spent, stand stood stood, swim swam swum, take took taken,
    teach taught taught, tell told told, think thought thought, understand understood understood,
    wake woke woken, wear wore worn, win won won, write wrote written
"""
_REGULAR = """
    agree arrive ask believe call carry change clean cook dance decide enjoy explain finish follow
    happen hate help hope improve introduce invite join learn like listen live look love manage miss
    move need open pass plan play practice practise prefer prepare protect receive remember return
    save share shop smoke solve start stay stop study suggest talk travel try use visit wait walk
    want wash watch wish work worry
"""
_FORMS = {
    base: (past, participle)
    for base, past, participle in (entry.split() for entry in _IRREGULAR.split(","))
}
BASES = (*(base for base in _FORMS if base != "be"), *_REGULAR.split())
PARTICIPLES = {past: participle for past, participle in _FORMS.values() if past != participle}
"""Participles by the past, where the two differ."""

_NOUNS_TOO = """
    break call change cook dance dream drink drive fall feel find fly help hope like listen look
    love move need pass pay plan play practice return ride run save sell share shop sing sit sleep
    smoke stand start stay stop study swim talk travel try use visit wait walk wash watch win wish
    work worry
"""
PURE = tuple(base for base in BASES if base not in _NOUNS_TOO.split())
"""Those that are hardly ever nouns."""

_VOWELS = "aeiou"
_DOUBLED = frozenset(
    {"stop", "prefer", "get", "run", "sit", "swim", "win", "begin", "forget", "put", "shop", "plan"}
)


def third_person(base: str) -> str:
    """The form after he, she and it, as in "she goes"."""
    if base == "have":
        return "has"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return f"{base[:-1]}ies"
    return base + ("es" if base.endswith(("s", "sh", "ch", "x", "o")) else "s")


def past(base: str) -> str:
    """The simple past, as in "she went"."""
    if base in _FORMS:
        return _FORMS[base][0]
    if base.endswith("e"):
        return f"{base}d"
    if base.endswith("y") and base[-2] not in _VOWELS:
        return f"{base[:-1]}ied"
    return f"{base}{base[-1]}ed" if base in _DOUBLED else f"{base}ed"


def participle(base: str) -> str:
    """The form after have, as in "she has gone"."""
    return _FORMS[base][1] if base in _FORMS else past(base)


def gerund(base: str) -> str:
    """The form with -ing, as in "she likes going"."""
    if base in _DOUBLED:
        return f"{base}{base[-1]}ing"
    if base.endswith("e") and base not in {"be", "see", "agree"}:
        return f"{base[:-1]}ing"
    return f"{base}ing"


BASE_OF_THIRD = {third_person(base): base for base in BASES}
"""Bases by the form after he, she and it."""
BASE_OF_PAST = {past(base): base for base in BASES if past(base) != base}
"""Bases by their past, where the two differ."""
BASE_OF_PARTICIPLE = {participle(base): base for base in BASES} | {"been": "be"}
"""Bases by the form after have."""
