"""Which phoneme belongs to which word, when a pronouncer ran words together.

espeak-ng pronounces a clause as one ("in the" is one group of phonemes), which sounds right but
leaves no word borders. Words pronounced one by one tell roughly what each contributes; the cheapest
alignment of the two (Wagner & Fischer 1974) carries the borders over.
"""

from __future__ import annotations

from collections.abc import Sequence


def label_symbols(clause: str, words: Sequence[str]) -> list[int]:
    """The word each symbol of a clause belongs to.

    Args:
        clause: The clause's phonemes, words parted by spaces where the pronouncer kept them.
        words: The phonemes of each word alone.

    Returns:
        For each symbol of `clause` an index into `words`, never falling.
    """
    groups = clause.split(" ")
    if len(groups) == len(words):
        labels: list[int] = []
        for index, group in enumerate(groups):
            # The space that parts two groups goes to the first.
            labels += [index] * (len(group) + (index + 1 < len(groups)))
        return labels
    return _align(clause, words)


def _align(clause: str, words: Sequence[str]) -> list[int]:
    apart = [(symbol, index) for index, word in enumerate(words) for symbol in word]
    if not apart:
        return [0] * len(clause)
    width = len(apart) + 1
    # cost[i][j]: aligning the first i symbols of the clause with the first j of the words.
    cost: list[list[float]] = [list(map(float, range(width)))]
    for i, symbol in enumerate(clause, 1):
        row: list[float] = [i]
        above = cost[-1]
        for j in range(1, width):
            same = symbol == apart[j - 1][0]
            row.append(min(above[j - 1] + (0 if same else 1.5), above[j] + 1, row[j - 1] + 1))
        cost.append(row)
    labels = [0] * len(clause)
    i, j = len(clause), len(apart)
    while i > 0:
        labels[i - 1] = apart[max(j, 1) - 1][1]
        here = cost[i][j]
        same = j > 0 and clause[i - 1] == apart[j - 1][0]
        if j > 0 and here == cost[i - 1][j - 1] + (0 if same else 1.5):
            i, j = i - 1, j - 1
        elif here == cost[i - 1][j] + 1:
            i -= 1
        else:
            j -= 1
    return labels
