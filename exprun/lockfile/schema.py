"""What DVC accepts in a dvc.lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from exprun.errors import LockfileError
from exprun.model.patterns import pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object, "Path"], None]

Path = tuple[str | int, ...]

VERSION: Final = "2.0"

_OBJECT_NAME = pattern(r"[0-9a-f]{32}(?:\.dir)?")


class Unacceptable(Exception):
    """Where in the document the first violation is, and what it is."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def to_error(self, text: str, *, name: str) -> LockfileError:
        """The error to raise about a document whose text is `text`."""
        line = _line_of(text, self.path)
        spelled = ".".join(map(str, self.path))
        message = f"{self.problem}: {spelled}" if spelled else self.problem
        return LockfileError(message, where=f"{name}:{line}" if line else name)


def check_lock(data: object) -> None:
    """Raises Unacceptable unless `data` is a whole lock file."""
    if not isinstance(data, dict):
        raise Unacceptable((), "expected a map")
    if "schema" not in data:
        raise Unacceptable((), "the key 'schema' is missing")
    if data["schema"] != VERSION:
        raise Unacceptable(("schema",), "invalid schema version")
    _refuse_unknown(data, {"schema", "datasets", "stages"}, ())
    stages = data.get("stages", {})
    if not isinstance(stages, dict):
        raise Unacceptable(("stages",), "expected a map")
    for name, entry in stages.items():
        _text(name, ("stages", str(name)))
        check_entry(entry, ("stages", name))


def check_entry(entry: object, path: Path = ()) -> None:
    """Raises Unacceptable unless `entry` is what a stage may have in a lock file."""
    if not isinstance(entry, dict):
        raise Unacceptable(path, "expected a map")
    if "cmd" not in entry:
        raise Unacceptable(path, "the key 'cmd' is missing")
    if not isinstance(entry["cmd"], (str, list)):
        raise Unacceptable((*path, "cmd"), "expected text or a list")
    for key in entry:
        if key not in _ENTRY_KEYS:
            raise Unacceptable((*path, str(key)), "unknown key")
    _data(entry.get("deps", ()), (*path, "deps"))
    _data(entry.get("outs", ()), (*path, "outs"))
    if "params" in entry:
        _params(entry["params"], (*path, "params"))


_ENTRY_KEYS = frozenset(("cmd", "deps", "params", "outs"))


def _params(params: object, path: Path) -> None:
    for file, values in _map(params, path).items():
        _text(file, path)
        for key in _map(values, (*path, str(file))):
            _text(key, (*path, str(file)))


def _data(items: object, path: Path) -> None:
    if items == ():
        return
    for index, item in enumerate(_list(items, path)):
        _checked(item, (*path, index), _DATA)
        if "path" not in item:
            raise Unacceptable((*path, index), "the key 'path' is missing")


def _checked(item: object, path: Path, checks: Mapping[str, Check]) -> None:
    for key, value in _map(item, path).items():
        check = checks.get(key) if isinstance(key, str) else None
        if check is None:
            raise Unacceptable((*path, str(key)), "unknown key")
        check(value, (*path, str(key)))


def _files(value: object, path: Path) -> None:
    for index, item in enumerate(_list(value, path)):
        _checked(item, (*path, index), _FILE)
        if "relpath" not in item:
            raise Unacceptable((*path, index), "the key 'relpath' is missing")


def _cloud(value: object, path: Path) -> None:
    remotes = _map(value, path)
    if len(remotes) > 1:
        raise Unacceptable(path, "expected one remote at most")
    for remote, item in remotes.items():
        _text(remote, path)
        _checked(item, (*path, str(remote)), _META)


def _checksum(value: object, path: Path) -> None:
    if value is None or value == "":
        return
    if not isinstance(value, (str, int)) or len(str(value)) < 3:
        raise Unacceptable(path, "expected a checksum")


def _md5(value: object, path: Path) -> None:
    # Stricter than DVC: the name becomes a path in the cache.
    if value is None or value == "":
        return
    if not isinstance(value, str) or not _OBJECT_NAME.fullmatch(value):
        raise Unacceptable(path, "expected 32 hexadecimal digits")


def _text(value: object, path: Path) -> None:
    if not isinstance(value, str):
        _refuse(path, "text")


def _number(value: object, path: Path) -> None:
    if not isinstance(value, int):
        _refuse(path, "a whole number")


def _flag(value: object, path: Path) -> None:
    if not isinstance(value, bool):
        _refuse(path, "true or false")


def _map(value: object, path: Path) -> dict[object, object]:
    if not isinstance(value, dict):
        _refuse(path, "a map")
    return value


def _anything_in_a_map(value: object, path: Path) -> None:
    _map(value, path)


def _list(value: object, path: Path) -> list[dict[str, object]]:
    if not isinstance(value, list):
        _refuse(path, "a list")
    return value


def _refuse(path: Path, expected: str) -> NoReturn:
    raise Unacceptable(path, f"expected {expected}")


def _refuse_unknown(data: dict[object, object], known: set[str], path: Path) -> None:
    for key in data:
        if key not in known:
            raise Unacceptable((*path, str(key)), "unknown key")


_META: Mapping[str, Check] = {
    "md5": _md5,
    "checksum": _checksum,
    "etag": _checksum,
    "size": _number,
    "nfiles": _number,
    "isexec": _flag,
    "version_id": _text,
}
_FILE: Mapping[str, Check] = {**_META, "relpath": _text, "cloud": _cloud}
_DATA: Mapping[str, Check] = {
    **_META,
    "path": _text,
    "hash": _text,
    "cloud": _cloud,
    "files": _files,
    "dataset": _anything_in_a_map,
}


def _line_of(text: str, path: Path) -> int | None:
    """The line, counted from one, of what `path` leads to, or of the nearest thing around it."""
    import yaml  # only an error needs positions

    try:
        node = yaml.compose(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None
    line = None
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pairs = [pair for pair in node.value if pair[0].value == str(step)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
            line = node.start_mark.line + 1
        else:
            break
    return line
