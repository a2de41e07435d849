from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import ConfigError
from exprun.project.config import Config, load_config
from exprun.project.config_files import ConfigPlaces, config_places
from exprun.project.ini import parse_ini

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Levels = dict[str, str]


def write_levels(tmp_path: Path, levels: Mapping[str, str]) -> tuple[str, ConfigPlaces]:
    """The levels' files in their places; the directories are those of the `hermetic` fixture."""
    dvc_dir = tmp_path / "project" / ".dvc"
    files = {
        "system": tmp_path / "system" / "config",
        "global": tmp_path / "global" / "config",
        "repo": dvc_dir / "config",
        "local": dvc_dir / "config.local",
    }
    dvc_dir.mkdir(parents=True, exist_ok=True)
    for level, text in levels.items():
        files[level].parent.mkdir(parents=True, exist_ok=True)
        files[level].write_text(text, encoding="utf-8")
    return str(dvc_dir), ConfigPlaces(
        system_dir=str(tmp_path / "system"),
        global_dir=str(tmp_path / "global"),
        home=os.environ["HOME"],
    )


def load(tmp_path: Path, levels: Mapping[str, str]) -> Config:
    return load_config(*write_levels(tmp_path, levels))


def plain(config: Config) -> dict[str, object]:
    """The options as DVC's `Config` has them; lists are tuples for us."""
    found: dict[str, object] = {}
    for section, values in config.options.items():
        for key, value in values.items():
            found[".".join((*section, key))] = list(value) if isinstance(value, tuple) else value
    return found


def dvc_options(dvc_dir: str) -> dict[str, object]:
    from dvc.config import Config as DvcConfig

    found: dict[str, object] = {}
    for section, values in DvcConfig(dvc_dir).items():
        for key, value in values.items():
            if isinstance(value, dict):
                found.update({f"{section}.{key}.{name}": v for name, v in value.items()})
            else:
                found[f"{section}.{key}"] = value
    return found


GOOD: list[Levels] = [
    {},
    {"repo": ""},
    {
        "repo": "[core]\n    remote = Storage\n    autostage = True\n['remote \"storage\"']\n"
        "    url = /tmp/x\n    jobs = 4\n"
    },
    {"repo": '[remote "a"]\nurl = ../store\n[\'remote "b"\']\nurl=remote://a/sub\n'},
    {
        "repo": '[remote "A B"]\nurl = s3://Bucket/Path\nregion = x\nssl_verify = false\n'
        "connect_timeout = 5\n",
        "local": '[remote "a b"]\naccess_key_id = KEY\nssl_verify = /ca\n',
    },
    {"repo": '[remote "s"]\nurl = ssh://u@h:22/p\nport = 2222\nkeyfile = keys/id\ntype = copy\n'},
    {"repo": '[remote "h"]\nurl = https://h/p\nauth = Basic\nread_timeout = 1.5\n'},
    {"repo": '[remote "g"]\nurl = gdrive://root/p\ngdrive_user_credentials_file = ~/c.json\n'},
    {"repo": '[remote "o"]\nurl = s3://\n'},
    {"repo": "[remote]\n[[x]]\nurl = a\n"},
    {"repo": "[cache]\ntype = reflink,copy\ndir = ../cache\nshared = Group\nverify = true\n"},
    {"repo": '[cache]\ntype = "hardlink, symlink"\ndir = ~/cache\n'},
    {"repo": "[cache]\ntype = symlink,\nslow_link_warning = false\n"},
    {"global": "[cache]\ndir = shared/cache\n", "repo": "[cache]\ntype = copy\n"},
    {
        "system": "[core]\nremote = a\nanalytics = false\n",
        "global": "[core]\nremote = b\n",
        "repo": "[core]\nremote = c\n",
        "local": "[core]\nremote = d\n",
    },
    {"repo": "[CORE]\nCheckSum_Jobs = 8\nno_scm = FALSE\nhardlink_lock=true\n"},
    {"repo": "[exp]\nauto_push = true\ngit_remote = 'git@host:x/y'\n"},
    {"repo": "[hydra]\nenabled = true\nconfig_dir = conf # where it is\nconfig_name = 'a # b'\n"},
    {"repo": "[parsing]\nbool = Boolean_Optional\nlist = append\n"},
    {"repo": "[studio]\ntoken = isat_x\nurl = https://s\noffline = true\n"},
    {"repo": "[feature]\nmachine = true\nwhatever = 1\n"},
    {"repo": "[plots]\nauto_open = true\n[state]\nrow_limit = 10\n[index]\ndir = x\n"},
    {
        "repo": '[\'db "pg"\']\nurl = pg://x\nusername = u\n[machine "m"]\ncloud = aws\n'
        "startup_script = run.sh\n"
    },
    {"repo": '[core]\n  # comment\n\n  remote = "q=x"\n[exp]\n'},
    {"repo": "[studio]\nurl = '''one\ntwo''' # said\nrepo_url = \"\"\"x\"\"\"\n"},
    {"repo": "[studio]\nurl = '''one \ntwo'''  \n"},
    {"repo": "[studio]\nurl = a\"b'c\nrepo_url = \n\"token\" = 'it is'\n"},
    {"repo": "[studio]\nurl = %(repo_url)s/x\nrepo_url = base\n"},
    {"repo": "[core]\nsite_cache_dir = /x/y\ncheck_update = false\n[ exp ] # c\nauto_push=false"},
]

DEFAULTS = {
    "core.interactive", "core.analytics", "core.hardlink_lock", "core.no_scm", "core.autostage",
    "core.check_update", "cache.protected", "cache.slow_link_warning", "cache.verify",
    "feature.machine", "plots.auto_open", "hydra.enabled", "studio.offline",
}  # fmt: skip


@pytest.mark.parametrize("levels", GOOD, ids=[str(i) for i in range(len(GOOD))])
def test_what_dvc_accepts_means_the_same(tmp_path: Path, levels: Levels) -> None:
    ours = plain(load(tmp_path, levels))
    theirs = dvc_options(str(tmp_path / "project" / ".dvc"))
    defaulted = {key for key in theirs if key in DEFAULTS or key.startswith("remote.")} - {*ours}
    assert ours == {key: value for key, value in theirs.items() if key not in defaulted}


BAD: list[tuple[str, int, str]] = [
    ("[core]\nremot = x\n", 2, "'core.remot' is not known"),
    ("[coer]\nx = 1\n", 1, "[coer] is not known"),
    ("[coer]\n", 1, "[coer] is not known"),
    ("remot = x\n", 1, "outside of a section"),
    ("[core]\n\nautostage = yes\n", 3, "expected true or false"),
    ("[core]\nautostage = true, false\n", 2, "quote it"),
    ("[core]\nchecksum_jobs = 0\n", 2, "at least 1"),
    ("[core]\nchecksum_jobs = many\n", 2, "whole number"),
    ("[cache]\ntype = reflink,hard\n", 2, "'hard' is not one of"),
    ("[cache]\nshared = all\n", 2, "one of group"),
    ("[parsing]\nbool = maybe\n", 2, "store_true"),
    ("[exp]\nauto_push = 1\n", 2, "true or false"),
    ("[hydra]\nconfig_dir = a\nconfig_module = b\n", 3, "exclude each other"),
    ("['remote \"x\"']\njobs = 1\n", 1, "has no url"),
    ("['remote \"x\"']\nurl = ftp://h/p\n", 2, "ftp://"),
    ("['remote \"x\"']\nurl = /p\nregion = eu\n", 3, "region' is not known"),
    ("['remote \"x\"']\nurl = s3://b\ncache_regions = true\n", 3, "does not accept"),
    ("['remote \"x\"']\nurl = http://h\nread_timeout = -1\n", 3, "at least 0"),
    ("[core]\nremote\n", 2, "neither a section nor"),
    ("[core]\n= x\n", 2, "neither a section nor"),
    ("[core]\nremote = a\nremote = b\n", 3, "set twice"),
    ("[core]\n[core]\n", 2, "appears twice"),
    ("[core\nremote = a\n", 1, "neither a section nor"),
    ("[[core]]\n", 1, "nested deeper"),
    ("[[core]\n", 1, "as many"),
    ("[core]\nremote = \"a\n", 2, "quotes"),
    ("[core]\nremote = \"a\" b\n", 2, "quotes"),
    ("[core]\nremote = '''a\nb\n", 2, "does not end"),
    ("[core]\nremote = a,,b\n", 2, "between two commas"),
    ("[studio]\nurl = %(nope)s\n", 2, "not set"),
    ("[studio]\nurl = %(url)s\n", 2, "refers to itself"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "words"), BAD, ids=[str(i) for i in range(len(BAD))])
def test_what_dvc_refuses_is_refused_with_the_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    from dvc.config import Config as DvcConfig
    from dvc.config import ConfigError as DvcConfigError

    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"repo": text})
    path = tmp_path / "project" / ".dvc" / "config"
    assert caught.value.where == f"{path}:{line}"
    assert words in str(caught.value)
    # Errors of interpolation escape from DVC as configobj raises them.
    with pytest.raises((DvcConfigError, SyntaxError)):
        DvcConfig(str(path.parent))


def test_an_option_of_a_later_level_is_blamed_on_its_own_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"repo": "[core]\nautostage = true\n", "local": "[core]\nautostage = 1\n"})
    assert caught.value.where == f"{tmp_path / 'project' / '.dvc' / 'config.local'}:2"


@pytest.mark.parametrize(
    ("remote", "words"),
    [("", "remote 'X' is not configured"), ("['remote \"x\"']\nurl = s3://b/x\n", "no directory")],
)
def test_a_cache_that_is_no_directory_is_refused(tmp_path: Path, remote: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        load(tmp_path, {"repo": f"[cache]\nlocal = X\n{remote}"})
    assert caught.value.where == f"{tmp_path / 'project' / '.dvc' / 'config'}:2"


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    config = load(tmp_path, {"repo": "[studio]\ntoken = hush\n"})
    assert config.studio.token == "hush"
    assert "hush" not in repr(config)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {"repo": "['remote \"x\"']\nurl = http://h\npassword = hush,hush\n"})
    assert "hush" not in str(caught.value)


def test_without_any_file_there_are_dvcs_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, {})
    assert config.cache.dir == str(tmp_path / "project" / ".dvc" / "cache")
    assert config.cache.type == ("reflink", "copy")
    assert config.hydra.config_name == "config"
    assert config.parsing.bool == "store_true"
    assert config.remotes == {}
    assert not config.core.autostage


def test_remotes_are_typed(tmp_path: Path) -> None:
    config = load(tmp_path, {"repo": "['remote \"X\"']\nurl = store\njobs = 3\nverify = true\n"})
    remote = config.remotes["x"]
    assert remote.url == str(tmp_path / "project" / ".dvc" / "store")
    assert remote.options == {"jobs": 3, "verify": True}
    assert remote.where.endswith("config:2")


@pytest.mark.parametrize(
    ("environ", "system", "user"),
    [
        ({"HOME": "/h"}, "/etc/xdg/dvc", "/h/.config/dvc"),
        ({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_CONFIG_DIRS": "/x:/y"}, "/x/dvc", "/c/dvc"),
        ({"DVC_GLOBAL_CONFIG_DIR": "/g", "DVC_SYSTEM_CONFIG_DIR": "/s"}, "/s", "/g"),
        ({}, "/etc/xdg/dvc", None),
    ],
)
def test_where_the_outer_levels_are(
    environ: dict[str, str], system: str, user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dvc.dirs import global_config_dir, system_config_dir

    places = config_places(environ, platform="linux")
    assert (places.system_dir, places.global_dir) == (system, user)
    for name in ("HOME", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    if user is not None:
        assert (system_config_dir(), global_config_dir()) == (system, user)


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    dvc_dir, places = write_levels(tmp_path, {})
    (tmp_path / "project" / ".dvc" / "config").write_bytes(b"[core]\nremote = \xff\n")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(dvc_dir, places)


WORDS = st.text(alphabet="ab =,#'\"%[]\\\té", max_size=8)


@settings(max_examples=400, deadline=None)
@given(values=st.lists(WORDS, max_size=3), name=st.text(alphabet="ab \"'#", max_size=5))
def test_lines_are_read_as_configobj_reads_them(values: list[str], name: str) -> None:
    configobj = import_module("configobj")
    lines = [f"[{name}]", *(f"k{number} = {value}" for number, value in enumerate(values))]
    try:
        expected: object = configobj.ConfigObj(lines, interpolation=False).dict()
    except configobj.ConfigObjError:
        expected = None
    try:
        parsed = parse_ini("\n".join(lines), file="config")
    except ConfigError:
        # configobj also takes quotes that do not match: '"a"b"'.
        assert (
            expected is None
            or name[:1] in "'\""
            or any(value.strip()[:1] in "'\"" or "," in value for value in values)
        )
        return
    ours = {
        path[0]: {
            key: list(entry.value) if isinstance(entry.value, tuple) else entry.value
            for key, entry in section.entries.items()
        }
        for path, section in parsed.items()
        if path
    }
    assert ours == expected
