"""Dataclasses whose methods are compiled when they are called often, not when they are defined.

What classes and instances do is what the standard library's do, `dataclasses.fields` and its like
included. Not supported, because not needed: `order`, `InitVar`, `KW_ONLY`, `metadata`,
`unsafe_hash` and annotations that are not text (``from __future__ import annotations`` makes them
text).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FIELDS = "__lazy_dataclass_fields__"
_STANDARD_FIELDS = "__dataclass_fields__"
_MATCH_ARGS = "__match_args__"
_MISSING: Any = object()

_SELDOM = 20
"""Compiling a method takes as long as so many calls of one that is not compiled."""


class Field:
    """How one attribute is set, shown and compared."""

    __slots__ = ("annotation", "compare", "default", "factory", "init", "kw_only", "repr")

    def __init__(
        self,
        *,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.kw_only = False
        self.annotation = ""


field = Field


def dataclass(
    cls: type | None = None,
    /,
    *,
    frozen: bool = False,
    slots: bool = False,
    kw_only: bool = False,
    eq: bool = True,
) -> Any:
    """The class with the methods of a dataclass."""

    def decorate(cls: type) -> type:
        return _define(cls, frozen=frozen, slots=slots, kw_only=kw_only, eq=eq)

    return decorate if cls is None else decorate(cls)


def replace(value: Any, /, **changes: Any) -> Any:
    """A copy of `value` with some attributes changed."""
    fields: Mapping[str, Field] | None = getattr(value, _FIELDS, None)
    if fields is None:
        import dataclasses

        return dataclasses.replace(value, **changes)
    kept = {n: getattr(value, n) for n, each in fields.items() if each.init and n not in changes}
    return type(value)(**kept, **changes)


def _define(cls: type, *, frozen: bool, slots: bool, kw_only: bool, eq: bool) -> type:
    fields: dict[str, Field] = {}
    for base in reversed(cls.__mro__[1:]):
        fields.update(vars(base).get(_FIELDS, {}))
    own = _own_fields(cls, kw_only=kw_only)
    fields.update(own)
    if slots:
        cls = _with_slots(cls, own)
    else:
        for name, each in own.items():
            if each.default is not _MISSING:
                setattr(cls, name, each.default)
            elif name in vars(cls):
                delattr(cls, name)
    _add_methods(cls, frozen=frozen, slots=slots, eq=eq)
    setattr(cls, _FIELDS, fields)
    setattr(cls, _STANDARD_FIELDS, _StandardFields(cls))
    cls.__signature__ = _Signature(cls)  # type: ignore[attr-defined]
    positional = (name for name, each in fields.items() if each.init and not each.kw_only)
    setattr(cls, _MATCH_ARGS, tuple(positional))
    return cls


def _add_methods(cls: type, *, frozen: bool, slots: bool, eq: bool) -> None:
    """Give the class its methods, except those that it defines itself."""
    written = frozenset(vars(cls))
    methods: dict[str, object] = {
        "__init__": _lazy_init(cls),
        "__repr__": _repr,
    }
    if eq:
        methods["__eq__"] = _lazy(cls, "__eq__", _eq_source)
        methods["__hash__"] = _lazy(cls, "__hash__", _hash_source) if frozen else None
    if frozen:
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        if slots:
            methods |= {"__getstate__": _getstate, "__setstate__": _setstate}
    for name, method in methods.items():
        # Python itself sets `__hash__` to None in a class that defines `__eq__`.
        if name not in written or (name == "__hash__" and vars(cls)[name] is None):
            setattr(cls, name, method)


def _own_fields(cls: type, *, kw_only: bool) -> dict[str, Field]:
    fields = {}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if annotation.startswith(("ClassVar", "typing.ClassVar")):
            continue
        default = vars(cls).get(name, _MISSING)
        each = default if isinstance(default, Field) else Field(default=default)
        each.kw_only = kw_only
        each.annotation = annotation
        fields[name] = each
    return fields


def _with_slots(cls: type, own: Mapping[str, Field]) -> type:
    """The class again, with slots: they cannot be given to a class that exists."""
    inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    namespace = {
        name: value
        for name, value in vars(cls).items()
        if name not in own and name not in {"__dict__", "__weakref__"}
    }
    namespace["__slots__"] = tuple(name for name in own if name not in inherited)
    again: type = type(cls)(cls.__name__, cls.__bases__, namespace)
    again.__qualname__ = cls.__qualname__
    return again


# The compiled methods


def _lazy(
    cls: type, name: str, source: Callable[[type, dict[str, Any]], str]
) -> Callable[..., Any]:
    """A method that compiles its successor, puts it in its place, and calls it."""

    def first_call(*args: Any, **kwargs: Any) -> Any:
        scope: dict[str, Any] = {"__name__": cls.__module__, "_missing": _MISSING}
        exec(source(cls, scope), scope)
        method = scope[name]
        method.__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, method)
        return method(*args, **kwargs)

    return first_call


def _lazy_init(cls: type) -> Callable[..., None]:
    """``__init__`` that is compiled once it seems worth it, or to refuse what it is called with."""
    compiled = _lazy(cls, "__init__", _init_source)
    calls = 0

    def early_call(_self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > _SELDOM or not _initialise(cls, _self, args, kwargs):
            compiled(_self, *args, **kwargs)

    return early_call


def _initialise(cls: type, self: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Do what the compiled ``__init__`` would; False if that would raise TypeError."""
    given = dict(zip(getattr(cls, _MATCH_ARGS), args, strict=False))
    if len(given) < len(args) or given.keys() & kwargs.keys():
        return False
    given.update(kwargs)
    left = len(given)
    assign = setattr if _assigns_plainly(cls) else object.__setattr__
    for name, each in _fields(cls).items():
        if each.init and name in given:
            value = given[name]
            left -= 1
        elif each.factory is not _MISSING:
            value = each.factory()
        elif each.default is not _MISSING:
            value = each.default
        elif each.init:
            return False
        else:
            continue
        assign(self, name, value)
    if left:
        return False
    if hasattr(cls, "__post_init__"):
        self.__post_init__()
    return True


def _assigns_plainly(cls: type) -> bool:
    return vars(cls).get("__setattr__") is not _refuse_to_set


def _fields(cls: type) -> dict[str, Field]:
    fields: dict[str, Field] = vars(cls)[_FIELDS]
    return fields


def _init_source(cls: type, scope: dict[str, Any]) -> str:
    """``__init__``; frozen classes refuse plain assignment, so it goes past them."""
    scope["_set"] = object.__setattr__
    plain = _assigns_plainly(cls)
    positional, keyword, body = ["_self"], list[str](), list[str]()
    for name, each in _fields(cls).items():
        scope |= {f"_default_{name}": each.default, f"_make_{name}": each.factory}
        value = name if each.init else f"_default_{name}"
        if each.factory is not _MISSING:
            made = f"_make_{name}()"
            value = f"{made} if {name} is _missing else {name}" if each.init else made
        elif not each.init and each.default is _MISSING:
            continue
        body.append(f"_self.{name} = {value}" if plain else f"_set(_self, {name!r}, {value})")
        if each.init:
            has_default = each.default is not _MISSING or each.factory is not _MISSING
            parameter = f"{name}=_default_{name}" if has_default else name
            (keyword if each.kw_only else positional).append(parameter)
    if hasattr(cls, "__post_init__"):
        body.append("_self.__post_init__()")
    parameters = ", ".join([*positional, *(["*", *keyword] if keyword else [])])
    return f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"])


def _eq_source(cls: type, scope: dict[str, Any]) -> str:
    return (
        "def __eq__(self, other):\n"
        " if other.__class__ is not self.__class__: return NotImplemented\n"
        f" return {_values(cls, 'self')} == {_values(cls, 'other')}"
    )


def _hash_source(cls: type, scope: dict[str, Any]) -> str:
    return f"def __hash__(self):\n return hash({_values(cls, 'self')})"


def _values(cls: type, of: str) -> str:
    names = [name for name, each in _fields(cls).items() if each.compare]
    return "(" + "".join(f"{of}.{name}, " for name in names) + ")"


# The shared methods


def _repr(self: Any) -> str:
    shown = [
        f"{name}={getattr(self, name)!r}"
        for name, each in getattr(self, _FIELDS).items()
        if each.repr
    ]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: object, name: str, value: object) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: object) -> list[object]:
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def _setstate(self: object, state: list[object]) -> None:
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


class _StandardFields:
    """What `dataclasses.fields`, `asdict` and others look at, made when they ask for it."""

    __slots__ = ("_cls",)

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: type) -> object:
        fields: object = getattr(_standard_class(self._cls), _STANDARD_FIELDS)
        setattr(self._cls, _STANDARD_FIELDS, fields)
        return fields


class _Signature:
    """What `inspect.signature`, `help` and notebooks look at, made when they ask for it."""

    __slots__ = ("_cls",)

    def __init__(self, cls: type) -> None:
        self._cls = cls

    def __get__(self, instance: object, owner: type) -> object:
        # Others may have an ``__init__`` of their own.
        if owner is not self._cls or instance is not None:
            raise AttributeError("__signature__")
        import inspect

        return inspect.signature(_standard_class(owner))


def _standard_class(cls: type) -> type:
    """The standard library's dataclass with the same fields."""
    import dataclasses

    specification: list[Any] = []
    for name, each in _fields(cls).items():
        given = {"default": each.default, "default_factory": each.factory}
        options = {key: value for key, value in given.items() if value is not _MISSING}
        standard = dataclasses.field(
            init=each.init,
            repr=each.repr,
            compare=each.compare,
            kw_only=each.kw_only,
            **options,
        )
        specification.append((name, each.annotation, standard))
    return dataclasses.make_dataclass(cls.__name__, specification)
