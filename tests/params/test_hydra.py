"""Hydra composition against DVC's."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from exprun.errors import ConfigError, ExprunError, ParamsError, UsageError
from exprun.params.hydra import Composition, compose, composition
from exprun.params.parsing import parse_override
from tests.params.oracle import Refused, composed_by_dvc

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CONF = {
    "config.yaml": "defaults:\n- db: mysql\n- _self_\nlr: 0.1 # c\nurl: ${db.host}:${db.port}\n"
    "list: [1, 2]\nnothing: null\ntext: 'on'\nü: é\n",
    "db/mysql.yaml": "host: local\nport: 3306\n",
    "db/pg.yaml": "host: far\nport: 5432\nextra:\n  a: 1\n",
    "other.yaml": "only: 1\n",
    "missing.yaml": "a: ???\nb: 1\n",
    "dangling.yaml": "a: ${nope}\n",
    "broken.yaml": "a: [1\n",
    "scalar.yaml": "5\n",
    "empty.yaml": "",
    "nogroup.yaml": "defaults:\n- nope: x\n",
    "duplicate.yaml": "a: 1\na: 2\n",
    "package.yaml": "defaults:\n- db@source: mysql\n- db@target: pg\n",
}

CASES: list[tuple[str, list[str]]] = [
    ("config", []),
    ("config", ["lr=0.2"]),
    ("config", ["db=pg"]),
    ("config", ["db=pg", "db.port=1"]),
    ("config", ["db.port=1", "db=pg"]),
    ("config", ["db=nope"]),
    ("config", ["~db"]),
    ("config", ["~db", "url=x"]),
    ("config", ["+db2=pg"]),
    ("config", ["+db@copy=pg"]),
    ("config", ["+new.deep=[1,{a: b}]"]),
    ("config", ["++lr=1", "++q=1"]),
    ("config", ["nope=1"]),
    ("config", ["list.0=9"]),
    ("config", ["list=[]"]),
    ("config", ["lr=null"]),
    ("config", ["lr='a: b'"]),
    ("config", ["lr=1,2"]),
    ("config", ["hydra.run.dir=x"]),
    ("config", ["lr=${db.port}"]),
    ("config", ["lr=${python_version:major}"]),
    ("other", []),
    ("other", ["only=2"]),
    ("missing", []),
    ("missing", ["a=1"]),
    ("dangling", []),
    ("dangling", ["+nope=1"]),
    ("broken", []),
    ("scalar", []),
    ("empty", []),
    ("empty", ["+a=1"]),
    ("nogroup", []),
    ("duplicate", []),
    ("package", []),
    ("package", ["db@source=pg"]),
    ("absent", []),
]


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("project"), CONF, under="conf")


def write(root: Path, files: dict[str, str], *, under: str) -> Path:
    for name, text in files.items():
        path = root / under / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root / under


def composed(where: Composition, texts: Sequence[str]) -> bytes | Refused:
    try:
        return compose(where, [parse_override(text) for text in texts])
    except ExprunError as error:
        return Refused(repr(error))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("config", "texts"), CASES)
def test_the_file_is_dvcs(config: str, texts: list[str], conf: Path, tmp_path: Path) -> None:
    root = str(conf.parent)
    expected = composed_by_dvc(tmp_path / "params.yaml", str(conf), None, config, f"{root}/", texts)
    where = Composition(directory=str(conf), config=config, plugins=root)
    assert composed(where, texts) == expected


def test_a_module_is_composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"__init__.py": "", "config.yaml": "a: 1\n"}
    write(tmp_path, files, under="exprun_test_conf_module")
    monkeypatch.syspath_prepend(str(tmp_path))
    where = Composition(module="exprun_test_conf_module", config="config")
    expected = composed_by_dvc(
        tmp_path / "params.yaml", None, where.module, "config", f"{tmp_path}/", ["a=2"]
    )
    assert composed(where, ["a=2"]) == expected == b"a: 2\n"


PLUGIN = """
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin


class Extra(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="extra", path={path!r})
"""


def test_each_project_has_its_own_plugins(tmp_path: Path) -> None:
    places = []
    for name in ("one", "two"):
        root = tmp_path / name
        extra = write(root, {"g/opt.yaml": f"v: {name}\n"}, under="extra")
        write(
            root, {"__init__.py": "", "x.py": PLUGIN.format(path=str(extra))}, under="hydra_plugins"
        )
        conf = write(root, {"config.yaml": "defaults:\n- g: opt\n"}, under="conf")
        places.append(Composition(directory=str(conf), plugins=str(root)))
    before = list(sys.path)
    assert compose(places[0], []) == b"g:\n  v: one\n"
    assert compose(places[1], []) == b"g:\n  v: two\n"
    assert compose(places[0], []) == b"g:\n  v: one\n"
    assert sys.path == before
    assert not [name for name in sys.modules if name.startswith("hydra_plugins")]
    without = Composition(directory=places[0].directory, plugins=None)
    with pytest.raises(ParamsError):
        compose(without, [])


def test_threads_compose_one_after_the_other(conf: Path) -> None:
    where = Composition(directory=str(conf))
    start = threading.Barrier(4)

    def one(number: int) -> bytes:
        start.wait(timeout=30)
        return compose(where, [parse_override(f"lr={number}")])

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, range(4)))
    assert [f"lr: {number}\n".encode() in each for number, each in enumerate(results)] == [True] * 4


def test_nothing_is_left_in_hydra(conf: Path) -> None:
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    OmegaConf.clear_resolver("hydra")  # DVC leaves it behind
    compose(Composition(directory=str(conf)), [])
    with pytest.raises(UsageError):
        compose(Composition(directory=str(conf)), [parse_override("nope=1")])
    assert not GlobalHydra.instance().is_initialized()
    assert not OmegaConf.has_resolver("hydra")


@pytest.mark.parametrize(
    ("config", "kind", "where"),
    [
        ("broken", ParamsError, "{conf}/broken.yaml:2"),
        ("dangling", ParamsError, "{conf}/dangling"),
        ("absent", ParamsError, "{conf}/absent"),
    ],
)
def test_a_bad_configuration_is_named(
    config: str, kind: type[ExprunError], where: str, conf: Path
) -> None:
    with pytest.raises(kind) as caught:
        compose(Composition(directory=str(conf), config=config), [])
    assert caught.value.where == where.format(conf=conf)


def test_the_settings_are_dvcs() -> None:
    assert composition({}, root="/p") is None
    assert composition({"enabled": False, "config_dir": "x"}, root="/p") is None
    assert composition({"enabled": True}, root="/p") == Composition(
        directory="/p/conf", config="config", plugins="/p/"
    )
    assert composition(
        {"enabled": True, "config_dir": "/abs", "config_name": "c", "plugins_path": "pl"}, root="/p"
    ) == Composition(directory="/abs", config="c", plugins="/p/pl")
    assert composition({"enabled": True, "config_module": "m.n"}, root="/p") == Composition(
        module="m.n", plugins="/p/"
    )
    with pytest.raises(ConfigError):
        composition({"enabled": True, "config_module": "m", "config_dir": "d"}, root="/p")
