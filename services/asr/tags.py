"""BCP 47 tags of the languages a caller names, and the model's codes of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from services.runtime.errors import InvalidField


@dataclass(frozen=True, slots=True)
class NamedLanguages:
    """What may be spoken, the likeliest first; nothing named means anything.

    Attributes:
        codes: The model's codes.
        tags: The caller's tag of each code.
    """

    codes: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, tags: Sequence[str], known: Collection[str], path: str) -> NamedLanguages:
        """The languages that `tags` name; a language's first tag counts.

        Args:
            tags: BCP 47 tags.
            known: The model's codes.
            path: The request's field that holds them.

        Raises:
            InvalidField: The model does not know one of them.
        """
        named: dict[str, str] = {}
        for index, tag in enumerate(tags):
            code = subtags(tag)[0]
            if code not in known:
                raise InvalidField(f"{path}[{index}]", f"the model does not know {tag!r}")
            named.setdefault(code, tag)
        return cls(tuple(named), named)

    @property
    def only(self) -> str | None:
        """The code if one language alone was named."""
        return self.codes[0] if len(self.codes) == 1 else None

    def tag(self, code: str) -> str:
        """The caller's tag of a language, or its code if the caller named none."""
        return self.tags.get(code, code)


def subtags(tag: str) -> list[str]:
    """The parts of a tag in lower case, the language first."""
    return tag.lower().split("-")
