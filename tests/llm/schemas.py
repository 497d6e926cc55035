"""Small JSON schemas, as hypothesis draws them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

names = st.text(alphabet='abé "\\', min_size=1, max_size=4)


@st.composite
def bounded(draw: st.DrawFn, kind: str, low: str, high: str, most: int) -> Schema:
    least = draw(st.integers(0, most))
    schema: Schema = {"type": kind}
    if draw(st.booleans()):
        schema[low] = least
    if draw(st.booleans()):
        schema[high] = least + draw(st.integers(0, most))
    return schema


# What JSON keeps exactly.
integers = st.integers(1 - 2**53, 2**53 - 1)
leaves = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": "number"}),
    bounded("integer", "minimum", "maximum", 200),
    bounded("string", "minLength", "maxLength", 12),
    st.sampled_from([r"^[a-c]{2,4}$", r"^(yes|no)$", r"^[0-9]{3}-[0-9]{2}$", "^é+x$"]).map(
        lambda pattern: {"type": "string", "pattern": pattern}
    ),
    st.lists(st.one_of(names, integers, st.none()), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    names.map(lambda value: {"const": value}),
)


@st.composite
def objects(draw: st.DrawFn, children: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(names, children, max_size=3))
    schema: Schema = {"type": "object", "properties": properties}
    schema["required"] = (
        draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if (properties) else []
    )
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    return schema


@st.composite
def arrays(draw: st.DrawFn, children: st.SearchStrategy[Schema]) -> Schema:
    schema = draw(bounded("array", "minItems", "maxItems", 3))
    schema["items"] = draw(children)
    return schema


schemas: st.SearchStrategy[Schema] = st.recursive(
    leaves,
    lambda children: st.one_of(
        objects(children),
        arrays(children),
        st.lists(children, min_size=1, max_size=2).map(lambda options: {"anyOf": options}),
    ),
    max_leaves=5,
)
