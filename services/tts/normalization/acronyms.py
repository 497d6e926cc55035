"""Capitals: initials that are spelled, acronyms that are said, words that are only emphasised."""

from __future__ import annotations

import re

# Written in capitals, said as words.
_WORD_ACRONYMS = """
NASA NATO RAM ROM REST CRUD ACID CAP SOLID AJAX LAMP SCRUM AGILE BERT GAN LAN WAN SCALA LASER RADAR
SARS AIDS PIN SIM GIF SAP DRY KISS ASAP SOAP MIME BLOB RAID NAT LIFO OLAP DAG POSIX SAML RAG STAR
GIT JOIN NULL TRUE FALSE POST GET PUT HEAD PATCH FROM WITH EACH WHERE INTO LIKE ELSE CASE CAST DROP
LOCK MAP SET ADD END NONE ZERO VOID MAIN TEST PASS FAIL MOCK HASH HEAP TREE LIST PUSH POP PULL READ
LIMIT ORDER GROUP INDEX TABLE COUNT BEGIN ABORT FAANG MAANG NOOP CRON GNU ARM BASE SWOT MOOC FOMO
SALT TOTP VIM ZIP BASIC COBOL PERL LISP JAVA RUST NODE BASH ECHO UNIX LINUX EXEC CALL OPEN WEB
LEFT RIGHT OUTER FULL SELF ROWS KEYS
HOME PATH GREAT WAIT WARN INFO DEBUG ERROR TRACE FATAL VIEW USER DATA FILE NAME TYPE DATE TIME
"""
_SAID_AS_WORDS = frozenset(_WORD_ACRONYMS.split())
_SHORT_WORDS = """
NO YES NOT AND OR BUT THE ALL ANY YOU WE HE SHE ME MY ONE TWO VERY MUST NEVER ONLY STOP HOW WHY
WHAT WHEN WHO DO DID IS ARE WAS TO IN ON OF IF SO GO HELLO HI THIS THAT NOW NEW OLD GOOD BAD BIG
WELL THEN THEY THEM HERE THERE HAVE HAS HAD WILL CAN MAY BE BY AT AS AN FOR TELL MORE
"""
_SHOUTED = frozenset(_SHORT_WORDS.split())
_VOWELS = frozenset("AEIOUY")
# "NINA", "FIFO"; "EMMA". Nobody spells what is so easily said.
_CONSONANT = "[B-DF-HJ-NP-TV-Z]"
_OPEN_SYLLABLES = re.compile(rf"(?:{_CONSONANT}[AEIOUY]){{2}}|[AEIOU]({_CONSONANT})\1[AEIOUY]")


def is_initials(word: str) -> bool:
    """Whether capitals are initials, said one by one; not emphasis, and not said as a word."""
    if not (word.isascii() and word.isalpha() and word.isupper()):
        return False
    short = 2 <= len(word) <= 4 or (len(word) == 5 and not _VOWELS.intersection(word))
    said = word in _SAID_AS_WORDS or word in _SHOUTED or has_open_syllables(word)
    return short and not said


def has_open_syllables(word: str) -> bool:
    """Whether four capitals are two syllables that end in vowels."""
    return _OPEN_SYLLABLES.fullmatch(word) is not None


def can_be_a_name(word: str) -> bool:
    """Whether capitals can be a person's name, which has a vowel and is no shorter than three."""
    return word.isupper() and len(word) >= 3 and not _VOWELS.isdisjoint(word)


def is_shouted(text: str) -> bool:
    """Whether all of a text is in capitals, which then mean nothing."""
    words = re.findall(r"[^\W\d_]{2,}", text) if text.isupper() else []
    return len(words) > 2 and any(len(word) > 5 or word in _SHOUTED for word in words)


_SOUNDS = frozenset(["hmm", "hm", "mm", "mhm", "shh", "psst", "pfft", "brr", "grr", "tsk", "nth"])


def is_unsayable(word: str) -> bool:
    """Whether a word in lower case has no vowel and is short: "src", "tmp"."""
    short = word.isascii() and word.isalpha() and word.islower() and 2 <= len(word) <= 5
    return short and not _VOWELS.intersection(word.upper()) and word not in _SOUNDS
