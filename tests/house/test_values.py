"""The project's dataclasses do what the standard library's do, only later."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar

import pytest

from exprun.model import lazy_dataclasses, values

Decorator = Callable[..., Any]


def _classes(dataclass: Decorator, field: Callable[..., Any]) -> dict[str, Any]:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        a: int
        b: str = "b"
        KIND: ClassVar[str] = "base"

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        """With a default of its own for an inherited attribute."""

        c: list[int] = field(default_factory=list)
        d: int = field(default=3, repr=False, compare=False)
        b: str = "changed"

        def total(self) -> int:
            return self.a + self.d

    @dataclass(frozen=True, slots=True)
    class Pair:
        left: int
        right: int = 0

    @dataclass(frozen=True, kw_only=True)
    class Roomy:
        a: int

        @cached_property
        def twice(self) -> int:
            return 2 * self.a

    @dataclass(slots=True)
    class Mutable:
        a: int
        total: int = field(init=False)
        seen: set[int] = field(default_factory=set)

        def __post_init__(self) -> None:
            self.total = self.a + 1

    @dataclass(slots=True, eq=False)
    class Unequal:
        a: int = 1

    @dataclass(frozen=True, slots=True)
    class Own:
        a: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    return {k: v for k, v in locals().items() if isinstance(v, type)}


OURS = _classes(lazy_dataclasses.dataclass, lazy_dataclasses.field)
THEIRS = _classes(dataclasses.dataclass, dataclasses.field)

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Base", (), {"a": 1}),
    ("Base", (), {"a": 1, "b": "x"}),
    ("Base", (), {}),
    ("Base", (1,), {}),
    ("Base", (), {"a": 1, "z": 1}),
    ("Derived", (), {"a": 1}),
    ("Derived", (), {"a": 1, "c": [1], "d": 4}),
    ("Pair", (1,), {}),
    ("Pair", (1, 2), {}),
    ("Pair", (1, 2, 3), {}),
    ("Pair", (), {"left": 1, "right": 3}),
    ("Roomy", (), {"a": 1}),
    ("Mutable", (1,), {}),
    ("Mutable", (1, {2}), {}),
    ("Unequal", (), {}),
    ("Own", (1,), {}),
]


def _made(classes: dict[str, Any], call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
    name, args, kwargs = call
    return classes[name](*args, **copy.deepcopy(kwargs))


def _outcome(action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:
        return type(error)


@pytest.mark.parametrize("call", CALLS, ids=repr)
def test_instances_are_those_of_the_standard_library(call: Any) -> None:
    ours, theirs = _outcome(lambda: _made(OURS, call)), _outcome(lambda: _made(THEIRS, call))
    if isinstance(theirs, type):
        assert ours is theirs
        return
    for ask in (
        repr,
        dataclasses.asdict,
        lambda value: hasattr(value, "__dict__"),
        lambda value: hash(value) == hash(copy.copy(value)),
        lambda value: value == copy.deepcopy(value),
        lambda value: value != _made(OURS, call) and value != _made(THEIRS, call),
        lambda value: setattr(value, dataclasses.fields(value)[0].name, 2),
        lambda value: delattr(value, dataclasses.fields(value)[0].name),
        lambda value: [(f.name, f.default, f.init, f.kw_only) for f in dataclasses.fields(value)],
        lambda value: repr(dataclasses.replace(value, a=9)),
        lambda value: value.total(),
        lambda value: value.twice,
        lambda value: value.__match_args__,
    ):
        a, b = _outcome(lambda ask=ask: ask(ours)), _outcome(lambda ask=ask: ask(theirs))  # type: ignore[misc]
        assert a is b if isinstance(b, type) else repr(a) == repr(b), inspect.getsource(ask)


@pytest.mark.parametrize("name", sorted(OURS.keys() & THEIRS.keys()))
def test_signatures_are_those_of_the_standard_library(name: str) -> None:
    assert str(inspect.signature(OURS[name])) == str(inspect.signature(THEIRS[name]))


def test_a_subclass_with_its_own_way_to_be_made_has_its_own_signature() -> None:
    base: Any = OURS["Pair"]

    class Sub(base):  # type: ignore[misc]
        def __init__(self, only: int) -> None:
            super().__init__(only, only)

    assert str(inspect.signature(Sub)) == "(only: 'int') -> 'None'"


def test_equality_and_hash_look_at_what_is_compared() -> None:
    derived = OURS["Derived"]
    assert derived(a=1, d=5) == derived(a=1, d=6)
    assert derived(a=1) != derived(a=2)
    assert derived(a=1) != OURS["Base"](a=1)
    assert len({OURS["Pair"](1, 2), OURS["Pair"](1, 2), OURS["Pair"](2, 1)}) == 2


def test_factories_make_a_new_value_each_time() -> None:
    one, other = OURS["Mutable"](1), OURS["Mutable"](1)
    one.seen.add(3)
    assert other.seen == set()


def test_patterns_take_positional_attributes() -> None:
    match OURS["Pair"](1, 2):
        case object(left=left, right=2):
            assert left == 1
        case _:
            pytest.fail("no match")


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """At the top of a module, where pickle finds it."""

    a: int
    b: tuple[int, ...] = ()


def test_values_survive_pickling_and_are_replaced() -> None:
    kept = Kept(a=1, b=(2, 3))
    assert pickle.loads(pickle.dumps(kept)) == kept
    assert values.replace(kept, a=4) == Kept(a=4, b=(2, 3))
    assert values.replace(THEIRS["Pair"](1, 2), left=5) == THEIRS["Pair"](5, 2)
