"""The grammar of ``${…}``: where an expression is, and which value it names."""

from __future__ import annotations

from functools import lru_cache

from exprun.model.patterns import pattern
from exprun.pipeline.problem import Problem

OPENING = "${"
ESCAPED = "\\${"

EXPRESSION = pattern(r"(?<!\\)\$\{(.*?)\}")

_WORD = r"[^.\[\]]+"
_GRAMMAR = pattern(rf"{_WORD}(?:[ \t]*(?:\.{_WORD}|\[{_WORD}[ \t]*\]))*[ \t]*")


def has_expression(text: str) -> bool:
    """Whether something in `text` is to be replaced."""
    return OPENING in text and EXPRESSION.search(text) is not None


@lru_cache(maxsize=4096)
def parse_expression(inner: str) -> tuple[str, ...]:
    """The words of an expression: ``a.b[0]`` is ``("a", "b", "0")``.

    Raises Problem when it is not ``word(.word|[word])*``.
    """
    if not _GRAMMAR.fullmatch(inner):
        raise Problem(f"invalid expression '${{{inner}}}'", hint="write ${name.key[0]}")
    return tuple(word.strip() for word in inner.replace("[", ".").replace("]", "").split("."))
