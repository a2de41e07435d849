"""Line edits against the round trip that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.params import documents, yaml_lines
from exprun.params.parsing import parse_override
from exprun.params.yaml_edits import YamlDocument

CANONICAL = b"""\
# top

lr: 0.1     # rate
model:      # the model
  # deep
  depth: 3

  layers:
  - 1
  - relu
  opt:
    eps: 1e-8

    # none
    kind:
flag: true
# end

"""


def round_trip(data: bytes, *texts: str) -> bytes:
    """What the long way gives."""
    document = YamlDocument.parse(data, name="p.yaml")
    documents.change(document, [parse_override(text) for text in texts])
    return document.dump().encode()


def edit(data: bytes, *texts: str) -> bytes | None:
    """What the short way gives."""
    return yaml_lines.edit(data, [parse_override(text) for text in texts])


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("lr=0.25",),
        ("lr=0.123456789",),
        ("lr=1e-05",),
        ("model.depth=10", "lr=x", "model.depth=11"),
        ("model.layers.1=tanh",),
        ("model.opt.eps=-1",),
        ("flag=false",),
    ],
)
def test_canonical_text_is_edited_in_place(texts: tuple[str, ...]) -> None:
    edited = edit(CANONICAL, *texts)
    assert edited is not None
    assert edited == round_trip(CANONICAL, *texts)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# only\n",
        b"\na: 1\n",
        b"a: 1",
        b"a: 1\r\n",
        b"a:  1\n",
        b"a: 1 \n",
        b"a: '1'\n",
        b"a: [1]\n",
        b"a: True\n",
        b"a: null\n",
        b"a: -0\n",
        b"a: 1.12345678901234567\n",
        b"a: ${b}\n",
        b"a: ???\n",
        b"a:\n  - 1\n",
        b"a:\n    b: 1\n",
        b"a:\n- 1\n# c\nb: 1\n",
        b"a:\n- 1\n\n",
        b"a:\n- b: 1\n",
        b"a: 1\na: 2\n",
        b"a: 1\n  b: 2\n",
        b"a: b\n  c\n",
        b"- 1\n",
        b"---\na: 1\n",
        b"null: 1\na: 2\n",
        b"a: 1\n\tb: 2\n",
        b"a: 1 # \xc2\x85\n",
        b"a: \xff\n",
        b"a: &x 1\n",
        b"a: 1\n  - 2\n",
    ],
)
def test_other_text_takes_the_long_way(data: bytes) -> None:
    assert edit(data, "a=5") is None


@pytest.mark.parametrize(
    "text",
    ["nope=1", "+lr=1", "++lr=1", "~lr", "lr=null", "lr='a b'", "lr=[1]", "lr=1e20", "model=1",
     "model.opt.kind=x", "model.layers=1", "model.layers.2=1", "lr='true'"],
)  # fmt: skip
def test_other_edits_take_the_long_way(text: str) -> None:
    assert edit(CANONICAL, text) is None


def test_numbers_keep_their_spelling() -> None:
    mantissas = ["1", "9", "1.0", "2.50", "9.1234567"]
    exponents = [str(n) for n in range(100)] + [f"0{n}" for n in range(10)]
    numbers = [
        *(f"{m}e{sign}{e}" for m in mantissas for sign in ("", "-", "+") for e in exponents),
        *(f"-{whole}.{part}" for whole in (0, 7, 1234567) for part in ("0", "50", "12345678")),
    ]
    canonical = [each for each in numbers if edit(f"a: {each}\n".encode()) is not None]
    assert len(canonical) > 1000
    source = "".join(f"k{n}: {each}\n" for n, each in enumerate(canonical)).encode()
    assert edit(source) == round_trip(source)


_plain = st.one_of(
    st.integers(-(10**6), 10**17).map(str),
    st.decimals(-1000, 1000, places=4).map(str),
    st.floats(-1e6, 1e6).map(repr),
    st.from_regex(r"-?[0-9](\.[0-9]{1,7})?[eE][+-]?[0-9]{1,2}", fullmatch=True),
    st.sampled_from("relu yes no on y n true false True null NULL Off a/b.c-d _ nan inf".split()),
    st.text("abcXYZ", min_size=1, max_size=70),
)
_scalar = st.one_of(_plain, st.sampled_from(["-", "=", "~", "'q'", "x y", "[1]", ".5"]))
_remark = st.one_of(
    st.just(""),
    st.builds(
        lambda n, text: " " * n + "#" + text,
        st.integers(0, 8),
        st.sampled_from(["", " c", " a: ${b}", "é"]),
    ),
)
_tail = st.one_of(
    st.just(""),
    st.builds(
        lambda n, text: " " * n + "#" + text,
        st.integers(1, 14),
        st.sampled_from(["", " c", "x: 1"]),
    ),
)
_KEYS = ["a", "b", "lr", "name_x", "y", "no", "k-1"]


@st.composite
def _lines(draw: st.DrawFn, indent: str = "", depth: int = 0) -> list[str]:
    lines: list[str] = []
    for key in draw(st.lists(st.sampled_from(_KEYS), unique=True, min_size=1, max_size=4)):
        lines += draw(st.lists(_remark, max_size=2))
        head = f"{indent}{key}:"
        match draw(st.sampled_from(["scalar", "scalar", "scalar", "map", "list", "nothing"])):
            case "map" if depth < 3:
                lines.append(head + draw(_tail))
                lines += draw(_lines(indent + "  ", depth + 1))
            case "list":
                lines.append(head + draw(_tail))
                lines += [
                    f"{indent}- {item}" for item in draw(st.lists(_scalar, min_size=1, max_size=3))
                ]
            case "nothing":
                lines.append(head + draw(_tail))
            case _:
                lines.append(f"{head} {draw(_scalar)}{draw(_tail)}")
    return lines


@settings(max_examples=150, deadline=None)
@given(lines=_lines(), end=st.lists(_remark, max_size=2), data=st.data())
def test_the_short_way_is_the_long_way(
    lines: list[str], end: list[str], data: st.DataObject
) -> None:
    text = [*lines, *end, ""]
    places = yaml_lines._find_scalars(text[:-1])
    if places is None:
        return
    pairs = st.tuples(st.sampled_from(sorted(places)), _plain)
    texts = [f"{key}={value}" for key, value in data.draw(st.lists(pairs, max_size=2))]
    source = "\n".join(text).encode()
    edited = edit(source, *texts)
    if edited is not None:
        assert edited == round_trip(source, *texts)
