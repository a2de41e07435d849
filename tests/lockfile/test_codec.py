"""dvc.lock's bytes, against DVC's own reading and writing."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from exprun.errors import LockfileError, ProjectError
from exprun.formats.yaml12 import load_yaml
from exprun.lockfile.codec import Lockfile, absent_lock, parse_lock
from exprun.lockfile.entries import from_data, to_data
from exprun.lockfile.schema import Unacceptable, check_lock
from tests.lockfile import oracle

if TYPE_CHECKING:
    from collections.abc import Iterable

MD5 = "ba8d2b9408ed255ee92a112fe7ba59be"

SHARED: list[object] = [1, 2]
SHARED_MAP = {"k": 1}

VALUES: list[object] = [
    *(1e20, 1e-7, 1e-5, 0.1, 1.5e-10, 123456789012345680.0, 0.30000000000000004, -0.0, -1.5),
    *(float("inf"), 1e16, 3.0589983033553536e-12, 10**30, 0, -7, True, False, None),
    *("", [], {}, [None, None], [[1, 2], []], [{"a": None}, {"b": [1]}], {"a": {}}, (), [(1, 2)]),
    *("a b", "~", "null", "yes", "=", "<<", "- a", "a: b", "a:b", "a #b", "a#b", "~a", "<", "tRue"),
    *("1", "1.0", "0x1", "0o7", "010", "1_000", ".5", ".", "..", "...", "---", "-", "--a", "?a"),
    *("? a", "!a", "%a", "@", "`", "a\tb", "é", "\U0001f600", "\ufeff", "it's", '"q"', "a\\b"),
    *("1:30", "2020-01-01", "2020-13-45", "+1", "1e5", ".inf", ".NAN", "NO", "n", "TRUE", "-.5"),
    *("a'b: c", 'x: "y"', " lead", "trail ", "a  b", "\n", "a\nb", "a\r\nb", "a\x7fb", "a\0b"),
    *("[a]", "{a}", "&a", "*a", "|x", ">x", ":a", "a:", ":", "::", "a,b", "1 2", "\xa0", "a\xa0b"),
    *("x" * 200, "word " * 50, "word " * 50 + "end", "a # " * 40, "it's: " * 30, "a\n" * 60),
    *("x" * 90 + " y", "two  spaces " * 12 + "x", {"k" * 127: 1, "k" * 99: 2, "": 3}),
    *({"null": 2, "a b": 3, 1: 2}, {"it's": 1, "x: y": {"d": ["word " * 30 + "x"]}}),
    *([["word " * 30 + "x", None]], {"a": SHARED, "b": SHARED}, [SHARED_MAP, SHARED_MAP]),
    *({"a": SHARED_MAP, "b": SHARED_MAP}, {"deep": {"er": {"est": [[[1]]]}}}),
]


def entry(value: object = 0.2, cmd: object = "python train.py") -> dict[str, Any]:
    return {
        "cmd": cmd,
        "deps": [{"path": "in.txt", "hash": "md5", "md5": MD5, "size": 3, "isexec": True}],
        "params": {"params.yaml": {"train.lr": value}},
        "outs": [{"path": "d", "hash": "md5", "md5": f"{MD5}.dir", "size": 0, "nfiles": 0}],
    }


def lock_of(text: str) -> Lockfile:
    return parse_lock(text.encode(), name="dvc.lock")


def written(lock: Lockfile, stage: str, data: dict[str, Any]) -> str:
    return lock.with_stage(stage, from_data(data, "here")).to_bytes().decode()


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:30])
def test_a_value_is_written_read_and_kept_as_dvc_does(value: object) -> None:
    text = oracle.write(None, "s", entry(value))
    fresh = absent_lock(name="dvc.lock").with_stage("s", from_data(entry(value), "here"))
    assert fresh.to_bytes().decode() == text

    read = oracle.read(text)
    assert read is not None
    assert oracle.spell(to_data(lock_of(text)["s"])) == oracle.spell(read["s"])

    # Writing another stage makes DVC rewrite this one too.
    after = oracle.write(text, "other", entry())
    assert written(fresh, "other", entry()) == after
    assert written(lock_of(text), "other", entry()) == after
    assert written(lock_of(after), "s", entry()) == oracle.write(after, "s", entry())


@pytest.mark.parametrize(
    "cmd",
    [
        "mkdir -p prepared && cp data/a.txt prepared/one && cp data/b.txt prepared/two",
        ["one", "two " * 30 + "end"],
        "echo 'a' > b\necho c\n",
        "python -c 'print(\"x: y\")' # " + "long " * 20,
        "a " * 33 + "- 'b' | tee > c",
        "",
    ],
)
def test_commands(cmd: object) -> None:
    text = oracle.write(None, "s", entry(cmd=cmd))
    assert written(absent_lock(name="dvc.lock"), "s", entry(cmd=cmd)) == text
    locked = lock_of(text)["s"].cmd
    assert (list(locked) if isinstance(locked, tuple) else locked) == cmd


HEAD = "schema: '2.0'\nstages:\n"

HAND_MADE = {
    "comments": HEAD + "  # first\n  a:\n    cmd: x  # why\n  b:\n    cmd: y\n# end\n",
    "flow": HEAD + "  a: {cmd: x, deps: [{path: p, size: 1}]}\n",
    "flow inside": HEAD + "  a:\n    cmd: [x, y]\n  b:\n    cmd: z\n",
    "double quotes": 'schema: "2.0"\nstages:\n  a:\n    cmd: "x"\n',
    "empty stages": "schema: '2.0'\nstages: {}\n",
    "no stages": "schema: '2.0'\n",
    "datasets": "schema: '2.0'\ndatasets:\n- name: d\n  type: dvc\nstages:\n  a:\n    cmd: x\n",
    "literal": HEAD + "  a:\n    cmd: |\n      x\n      y\n  b:\n    cmd: z\n",
    "anchors": HEAD + "  a:\n    cmd: &c x\n  b:\n    cmd: *c\n",
    "own anchors": HEAD + "  a:\n    cmd: x\n    params:\n      p: &p {a: 1}\n"
    "      q: *p\n  b:\n    cmd: y\n",
    "indented": HEAD + "    a:\n        cmd: x\n        deps:\n          - path: p\n",
    "crlf": "schema: '2.0'\r\nstages:\r\n  a:\r\n    cmd: x\r\n",
    "no final newline": HEAD + "  a:\n    cmd: x",
    "floats": HEAD + "  a:\n    cmd: x\n    params:\n      p:\n        f: 1.50\n"
    "        g: 1e-4\n        h: 0x1F\n        i: 1_000\n        j: 1.0e+5\n        k: +1\n",
    "blank lines": HEAD + "  a:\n    cmd: x\n\n  b:\n    cmd: y\n",
    "quote across stages": HEAD + "  a:\n    cmd: 'x\n  b:\n    cmd: y'\n",
    "null params": HEAD + "  a:\n    cmd: x\n    params:\n      p:\n        k: null\n",
    "quoted name": HEAD + "  '1':\n    cmd: x\n  b@1:\n    cmd: y\n",
    "document marks": "---\nschema: '2.0'\nstages:\n  a:\n    cmd: x\n...\n",
    "dates": HEAD + "  a:\n    cmd: x\n    params:\n      p:\n        d: 2020-01-01\n",
    "stages first": "stages:\n  a:\n    cmd: x\nschema: '2.0'\n",
    "wide comment": HEAD + "  a:\n    # about a\n    cmd: x\n  b:\n    cmd: y\n",
    "legacy": HEAD + f"  a:\n    cmd: x\n    deps:\n    - path: p\n      md5: {MD5}\n"
    "      size: 6\n",
    "cloud": HEAD + f"  a:\n    cmd: x\n    outs:\n    - path: p\n      hash: md5\n"
    f"      md5: {MD5}\n      size: 6\n      cloud:\n        r:\n          etag: abc\n"
    "          version_id: v1\n",
    "etag": HEAD + "  a:\n    cmd: x\n    deps:\n    - path: s3://b/k\n"
    "      hash: md5\n      size: 6\n      etag: abc\n",
    "numbers for hashes": HEAD + "  a:\n    cmd: x\n    outs:\n    - path: p\n"
    "      hash: md5\n      md5: '11111111111111111111111111111111'\n      size: 1\n",
}


@pytest.mark.parametrize("text", HAND_MADE.values(), ids=HAND_MADE)
def test_hand_made_files_are_read_and_rewritten_as_dvc_does(text: str) -> None:
    lock = lock_of(text)
    text = text.replace("\r\n", "\n")  # Python's text mode does that for DVC
    read = oracle.read(text)
    assert read is not None
    assert {stage: oracle.spell(to_data(lock[stage])) for stage in lock} == {
        stage: oracle.spell(data) for stage, data in read.items()
    }
    for stage in ("a", "b", "new"):
        once = oracle.write(text, stage, entry())
        assert written(lock, stage, entry()) == once
        twice = lock.with_stage(stage, from_data(entry(), "here"))
        assert written(twice, "c", entry(1)) == oracle.write(once, "c", entry(1))


REFUSED = {
    "empty": ("", 0),
    "no schema": ("stages: {}\n", 0),
    "other schema": ("schema: '3.0'\nstages: {}\n", 1),
    "number for schema": ("schema: 2.0\nstages: {}\n", 1),
    "unknown key": ("schema: '2.0'\nmore: 1\n", 2),
    "null stages": (HEAD + "", 2),
    "number for name": (HEAD + "  1:\n    cmd: x\n", 3),
    "no cmd": (HEAD + "  a:\n    deps:\n    - path: p\n", 3),
    "number for cmd": (HEAD + "  a:\n    cmd: 1\n", 4),
    "null deps": (HEAD + "  a:\n    cmd: x\n    deps:\n", 5),
    "unknown in entry": (HEAD + "  a:\n    cmd: x\n    wdir: y\n", 5),
    "no path": (HEAD + "  a:\n    cmd: x\n    outs:\n    - size: 1\n", 6),
    "text for size": (
        HEAD + "  a:\n    cmd: x\n    outs:\n    - path: p\n      size: big\n",
        7,
    ),
    "number for params key": (
        HEAD + "  a:\n    cmd: x\n    params:\n      p:\n        1: 2\n",
        6,
    ),
    "twice": (HEAD + "  a:\n    cmd: x\n  a:\n    cmd: y\n", 5),
    "torn": (HEAD + "  a:\n    cmd: 'x\n", 4),
    "conflict": ("<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> x\n", 1),
}


@pytest.mark.parametrize(("text", "line"), REFUSED.values(), ids=REFUSED)
def test_what_dvc_refuses_is_refused_with_the_line(text: str, line: int) -> None:
    assert oracle.read(text) is None
    with pytest.raises(LockfileError) as caught:
        dict(lock_of(text))
    where = caught.value.where
    assert where == (f"dvc.lock:{line}" if line else "dvc.lock") or (
        where is not None and where.startswith("dvc.lock:") and "YAML" in caught.value.message
    )


def test_a_hash_that_is_no_object_name_is_refused() -> None:
    text = HEAD + "  a:\n    cmd: x\n    outs:\n    - path: p\n      md5: ../../etc\n"
    with pytest.raises(LockfileError, match="hexadecimal") as caught:
        lock_of(text)["a"]
    assert caught.value.where == "dvc.lock:7"


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(LockfileError, match="UTF-8"):
        parse_lock(b"schema: \xff", name="dvc.lock")


def test_an_unchanged_file_keeps_its_bytes() -> None:
    data = HAND_MADE["crlf"].encode()
    assert parse_lock(data, name="dvc.lock").to_bytes() == data


def _one_after_the_other(lock: Lockfile, stages: Iterable[str]) -> Lockfile:
    for stage in stages:
        lock = lock.with_stage(stage, from_data(entry(), "here"))
    return lock


def test_new_stages_come_in_the_order_of_the_plan_however_they_end() -> None:
    base = absent_lock(name="dvc.lock").with_stage("old", from_data(entry(), "here"))
    base = lock_of(base.to_bytes().decode())
    ranks = {"a": 0, "old": 1, "b": 2, "c": 3}
    serial = _one_after_the_other(base, ranks)
    for order in itertools.permutations(ranks):
        lock = base
        for stage in order:
            lock = lock.with_stage(stage, from_data(entry(), "here"), ranks=ranks)
        assert list(lock) == ["old", "a", "b", "c"]
        assert lock.to_bytes() == serial.to_bytes()


def test_the_order_of_the_plan_also_holds_where_comments_are_kept() -> None:
    text = HAND_MADE["comments"]
    ranks = {"x": 0, "y": 1}
    serial = _one_after_the_other(lock_of(text), ranks)
    lock = lock_of(text)
    for stage in ("y", "x"):
        lock = lock.with_stage(stage, from_data(entry(), "here"), ranks=ranks)
    assert lock.to_bytes() == serial.to_bytes()


def test_what_dvc_tells_about_a_write() -> None:
    empty = absent_lock(name="dvc.lock")
    locked = from_data(entry(), "here")
    assert empty.is_absent
    assert not empty.records("s", locked)
    lock = empty.with_stage("s", locked)
    assert not lock.is_absent
    assert lock.records("s", locked)
    assert not lock.records("s", from_data(entry(0.3), "here"))


def test_datasets_are_kept() -> None:
    lock = lock_of(HAND_MADE["datasets"])
    assert lock.datasets == [{"name": "d", "type": "dvc"}]


# A failing entry says enough as it is; making it smaller takes minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
QUICK = settings(max_examples=80, deadline=None, phases=PHASES)

TEXTS = st.text(
    st.sampled_from("ab1. :#-'\"\\{}[],&*!|>%@`?~=<_/\n\té\x85\u2028\xa0")
    | st.characters(codec="utf-8"),
    max_size=12,
) | st.lists(
    st.sampled_from(["word", "x" * 20, "a:", "-", "#", "'", "it's", "y" * 85, ""]), max_size=24
).map(" ".join)
# DVC wraps long keys that hold spaces into text that is read differently, or not at all.
KEYS = TEXTS.filter(lambda key: len(key) < 60)
SCALARS = TEXTS | st.integers() | st.floats() | st.booleans() | st.none()
PARAM_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.builds(
    entry, PARAM_VALUES, TEXTS.filter(bool) | st.lists(TEXTS, min_size=1, max_size=3)
)


@QUICK
@given(ENTRIES, ENTRIES, st.sampled_from(["a", "1", "b@x y", "c"]))
def test_any_two_entries_are_written_as_dvc_writes_them(
    first: dict[str, Any], second: dict[str, Any], name: str
) -> None:
    expected = oracle.write(None, name, first)
    lock = absent_lock(name="dvc.lock").with_stage(name, from_data(first, "here"))
    assert lock.to_bytes().decode() == expected
    try:
        expected = oracle.write(expected, "b", second)
    except oracle.YAMLFileCorruptedError:  # DVC cannot read some of what it writes
        with pytest.raises(LockfileError):
            lock.with_stage("b", from_data(second, "here"))
    else:
        lock = lock.with_stage("b", from_data(second, "here"))
        assert lock.to_bytes().decode() == expected


SIMPLE = st.text(st.sampled_from("ab1. :#-'\"\\_/x "), max_size=90)


@QUICK
@given(st.builds(entry, PARAM_VALUES | SIMPLE, SIMPLE.filter(bool)))
def test_what_dvc_wrote_is_read_as_dvc_reads_it(data: dict[str, Any]) -> None:
    text = oracle.write(None, "s", data)
    if any(mark in text for mark in "\x85\u2028\u2029\ufeff"):
        return  # libyaml and ruamel.yaml disagree about these line breaks
    read = oracle.read(text)
    if read is None:  # DVC cannot read some of what it writes
        with pytest.raises(LockfileError):
            dict(lock_of(text))
    else:
        assert oracle.spell(to_data(lock_of(text)["s"])) == oracle.spell(read["s"])


@QUICK
@given(st.floats(allow_nan=False, allow_infinity=False) | st.decimals(-10, 10, places=6).map(float))
def test_floats_survive_as_they_do_in_dvc(number: float) -> None:
    text = oracle.write(None, "s", entry(number))
    assert written(lock_of(text), "b", entry()) == oracle.write(text, "b", entry())


LINES = st.sampled_from(
    [
        *("  a:", "  b:", "  'c d':", "  true:", "  e: {}", "  # c", "# c", "", "...", "  <<: {}"),
        *("    cmd: x", "    cmd: 'x", "    y'", '    cmd: "x', '    y"', "    cmd: x # c"),
        *("    cmd: |", "    cmd: >-", "      y", "    cmd: [x,", "    y]", "    cmd: {", "    }"),
        *(
            "    cmd:",
            "    - x",
            "    - 'a: b'",
            "    - ''",
            "     - x",
            "    cmd: &c x",
            "    cmd: *c",
        ),
        *(
            "    params:",
            "      p:",
            "        k: 1",
            "        k: [1, 2]",
            "        l.m: '1'",
            "      p: {}",
        ),
        *(
            "        ? k",
            "        : v",
            "        'q': - x",
            "        k:",
            "          - 1",
            "        - 1",
        ),
        *(
            "    outs:",
            "    - path: p",
            "    -  path: p",
            "      size: 1",
            "      md5: " + MD5,
            "\t",
        ),
        *("    cmd: x\x85y", "    cmd:   'x'", "    cmd:  |", "    !!map", "    cmd: !!str 1"),
    ]
)


@settings(QUICK, max_examples=400)
@given(st.lists(LINES, min_size=1, max_size=9))
def test_no_text_is_cut_where_yaml_would_not_cut_it(lines: list[str]) -> None:
    text = HEAD + "  z:\n    cmd: z\n" + "".join(f"{line}\n" for line in lines)
    try:
        whole: Any = load_yaml(text, name="dvc.lock")
        check_lock(whole)
    except (ProjectError, Unacceptable):
        with pytest.raises(LockfileError):
            dict(lock_of(text))
    else:
        lock = lock_of(text)
        assert {stage: oracle.spell(to_data(lock[stage])) for stage in lock} == {
            stage: oracle.spell(data) for stage, data in whole["stages"].items()
        }


def test_a_file_may_be_read_and_written_by_several_threads() -> None:
    names = [f"s{number}" for number in range(400)]
    lock = absent_lock(name="dvc.lock")
    for name in names:
        lock = lock.with_stage(name, from_data(entry(), "here"))
    text, changed = lock.text, entry(0.5)
    expected = written(lock_of(text), "s7", changed)
    for _ in range(5):
        _use_at_once(lock_of(text), changed, expected, count=len(names))


def _use_at_once(lock: Lockfile, changed: dict[str, Any], expected: str, *, count: int) -> None:
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.extend(lock.values())),
        threading.Thread(target=lambda: found.append(written(lock, "s7", changed))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert expected in found
    assert len(found) == count + 1
