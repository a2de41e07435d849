"""The variables of a dvc.yaml: where they come from, and what an expression selects.

Files and inline maps are *layers*. Merging them never replaces a value, so every value belongs to
exactly one layer and its origin can be looked up when it is needed, instead of being carried along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exprun.formats.documents import load_document
from exprun.model.paths import join
from exprun.model.values import dataclass, field
from exprun.pipeline.expressions import parse_expression
from exprun.pipeline.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.formats.reading import YamlReader
    from exprun.model.files import Files
    from exprun.model.paths import Location

DEFAULT_PARAMS = "params.yaml"

Words = tuple[str, ...]

_PRIMITIVES = (str, int, float, bytes, type(None))


class Ref(NamedTuple):
    """A value that an expression selected, with the words that lead to it."""

    value: object
    origin: Words


class Selected(NamedTuple):
    """What an expression stands for. `origin` is None for values that no layer holds."""

    value: object
    origin: Words | None


class _Layer(NamedTuple):
    source: Location | None
    values: Mapping[str, object]


@dataclass(slots=True, kw_only=True)
class Context:
    """The variables in sight. `extended` and `bound` give new contexts and leave this one alone."""

    values: dict[str, object] = field(default_factory=dict)
    layers: tuple[_Layer, ...] = ()
    imports: dict[Location, tuple[str, ...]] = field(default_factory=dict)
    """The top-level keys taken from each file; none for a whole file."""
    bindings: Mapping[str, object] = field(default_factory=dict)
    """``item`` and ``key`` of a group's stage. They hide variables and may hold Refs."""
    taken: set[str] = field(default_factory=set)
    """The top-level names that were selected in this context, or one that was made of it."""

    def bound(self, bindings: Mapping[str, object]) -> Context:
        """This context with ``item`` and ``key``."""
        return Context(
            values=self.values,
            layers=self.layers,
            imports=self.imports,
            bindings=bindings,
            taken=self.taken,
        )

    def select(self, expression: str) -> Selected:
        """What `expression` names; raises Problem when there is nothing."""
        words = parse_expression(expression)
        first = words[0]
        origin: Words | None = None
        try:
            if first in self.bindings:
                node = self.bindings[first]
            else:
                self.taken.add(first)
                node, origin = self.values[first], (first,)
            for word in words[1:]:
                if isinstance(node, Ref):
                    node, origin = node
                node, step = _descend(node, word)
                origin = (*origin, step) if origin is not None else None
        except (LookupError, ValueError):
            hint = "give it a value in the params.yaml beside dvc.yaml, or under 'vars'"
            raise Problem(f"could not find '{expression}'", hint=hint) from None
        if isinstance(node, Ref):
            return Selected(node.value, node.origin)
        return Selected(plain(node) if origin is None else node, origin)

    def source_of(self, origin: Words) -> Location | None:
        """The file that a value comes from, None for inline variables."""
        for layer in self.layers:
            node: object = layer.values
            try:
                for word in origin:
                    node, _ = _descend(node, word)
            except (LookupError, ValueError):
                continue
            return layer.source
        return None


def plain(node: object) -> object:
    """`node` without Refs."""
    if isinstance(node, Ref):
        return node.value
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(item) for item in node]
    return node


def _descend(node: object, word: str) -> tuple[object, str]:
    """The value under `word`, and its normal form; raises LookupError or ValueError."""
    if isinstance(node, dict):
        return node[word], word
    if isinstance(node, list):
        index = int(word)
        return node[index], str(index % len(node))
    raise LookupError(word)


def admit(value: object, place: str) -> object:
    """`value` as templates see it: keys that are not text are dropped.

    Raises Problem for values that DVC cannot hold in its context, such as dates.
    """
    if isinstance(value, dict):
        return {
            key: admit(inner, f"{place}.{key}")
            if isinstance(inner, (dict, list))
            else _admit_leaf(inner, place, key)
            for key, inner in value.items()
            if isinstance(key, str)
        }
    if isinstance(value, list):
        return [
            admit(item, f"{place}.{index}")
            if isinstance(item, (dict, list))
            else _admit_leaf(item, place, index)
            for index, item in enumerate(value)
        ]
    return _admit_leaf(value, place, None)


def _admit_leaf(value: object, place: str, key: object) -> object:
    if isinstance(value, (*_PRIMITIVES, Ref)):
        return value
    name = place if key is None else f"{place}.{key}"
    raise Problem(
        f"'{name}' is of type '{type(value).__name__}', which DVC cannot use in templates",
        hint="quote the value to make it text",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VarsLoader:
    """Brings ``vars`` entries and parameter files into a context, and remembers what it read."""

    files: Files
    read: set[Location]
    yaml: YamlReader

    def load_default(self, context: Context, directory: Location) -> Context:
        """`context` with the params.yaml of `directory`, if there is one."""
        location = join(directory, DEFAULT_PARAMS)
        self.read.add(location)
        if not (self.files.is_file(location) or self.files.is_dir(location)):
            return context
        return self._load_file(context, DEFAULT_PARAMS, directory)

    def check_default(self, directory: Location) -> None:
        """Raise what `load_default` would with an empty context."""
        location = join(directory, DEFAULT_PARAMS)
        if self.files.is_file(location) or self.files.is_dir(location):
            admit(self._read(location), location)

    def load(
        self, context: Context, entries: list[object], directory: Location, *, where: str
    ) -> Context:
        """`context` with the entries of a ``vars`` list; raises Problem."""
        for index, entry in enumerate(entries):
            if isinstance(entry, str):
                context = self._load_file(context, entry, directory)
            else:
                values = admit(entry, f"{where}[{index}]")
                assert isinstance(values, dict)
                context = _extended(context, _Layer(None, values))
        return context

    def _load_file(self, context: Context, entry: str, directory: Location) -> Context:
        path, _, names = entry.partition(":")
        keys = tuple(filter(None, names.split(",")))
        location = join(directory, path)
        taken = context.imports.get(location)
        if taken is not None:
            if not keys and not taken:
                return context
            if not keys or not taken or set(keys) & set(taken):
                raise Problem(f"cannot load '{entry}': the file is loaded already")
        values = self._read(location)
        if keys:
            missing = [key for key in keys if key not in values]
            if missing:
                raise Problem(f"could not find '{missing[0]}' in '{location}'")
            values = {key: values[key] for key in keys}
        admitted = admit(values, location)
        assert isinstance(admitted, dict)
        context = _extended(context, _Layer(location, admitted))
        context.imports = {**context.imports, location: (*(taken or ()), *keys)}
        return context

    def _read(self, location: Location) -> dict[object, object]:
        self.read.add(location)
        try:
            data = self.files.read(location)
        except (OSError, ValueError) as failure:  # the latter for a path that cannot be one
            raise self._not_read(location, failure) from None
        values = load_document(data, name=location, yaml=self.yaml)
        if not isinstance(values, dict):
            raise Problem(f"expected a map in '{location}', got {type(values).__name__}")
        return values

    def _not_read(self, location: Location, failure: OSError | ValueError) -> Problem:
        if self.files.is_dir(location):
            return Problem(f"'{location}' is a directory")
        if isinstance(failure, OSError) and self.files.is_file(location):
            return Problem(f"cannot read '{location}': {failure.strerror}")
        return Problem(f"'{location}' does not exist")


def _extended(context: Context, layer: _Layer) -> Context:
    reserved = [key for key in context.bindings if key in layer.values]
    if reserved:
        raise Problem(f"'{reserved[0]}' is reserved in a group and cannot be a variable")
    return Context(
        values=_merged(context, context.values, layer.values, ()),
        layers=(*context.layers, layer),
        imports=context.imports,
        bindings=context.bindings,
        taken=context.taken,
    )


def _merged(
    context: Context, into: dict[str, object], update: Mapping[str, object], origin: Words
) -> dict[str, object]:
    merged = dict(into)
    for key, value in update.items():
        present = merged.get(key)
        if isinstance(present, dict) and isinstance(value, dict):
            merged[key] = _merged(context, present, value, (*origin, key))
        elif key in merged:
            source = context.source_of((*origin, key)) or "vars"
            name = ".".join((*origin, key))
            raise Problem(f"cannot redefine '{name}': it is already defined in '{source}'")
        else:
            merged[key] = value
    return merged
