"""What stages may ask for, what there may be, and how both are spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exprun.errors import ConfigError, PipelineError, UsageError
from exprun.model.paths import Location
from exprun.model.quantities import format_size, parse_duration, parse_size
from exprun.model.stage import Stage
from exprun.project.files import DiskFiles
from exprun.runner.needs import Requirements, require_fit, requirements_of
from exprun.runner.resources import Resources, load_resources, parse_resources
from exprun.scheduler.budget import Limits
from exprun.scheduler.vocabulary import Needs

if TYPE_CHECKING:
    from pathlib import Path


def stage(meta: object, cmd: str | None = "true") -> Stage:
    return Stage(
        name="train", file=Location("sub/dvc.yaml"), wdir=Location("sub"), cmd=cmd, meta=meta
    )


def test_everything_that_can_be_asked_for() -> None:
    asked = {
        "cpus": 1.5, "gpus": 2, "mem": "16G", "timeout": "1h30m", "retries": 3,
        "mutex": ["db", "net", "db"], "allow_daemons": True,
    }  # fmt: skip
    assert requirements_of(stage({"exprun": asked, "mine": 1})) == Requirements(
        needs=Needs(cpus=1.5, gpus=2, mem=16 * 1024**3, mutexes=("db", "net")),
        retries=3,
        timeout_s=5400,
        allow_daemons=True,
    )
    assert requirements_of(stage({"exprun": {"mutex": "db"}})).needs.mutexes == ("db",)


@pytest.mark.parametrize("meta", [None, "text", [1], {}, {"other": 1}, {"exprun": None}])
def test_other_meta_asks_for_nothing(meta: object) -> None:
    assert requirements_of(stage(meta)) == Requirements()


def test_what_runs_nothing_asks_for_nothing() -> None:
    assert requirements_of(stage({"exprun": {"nonsense": 1}}, cmd=None)) == Requirements()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (5, "must be a map"),
        ({"gpu": 1}, "has no 'gpu'"),
        ({"gpus": "one"}, "'gpus' is 'one'"),
        ({"gpus": True}, "'gpus' is True"),
        ({"gpus": -1}, "'gpus' is -1"),
        ({"cpus": float("nan")}, "'cpus' is nan"),
        ({"mem": "a lot"}, "'mem' is 'a lot'"),
        ({"timeout": 0}, "'timeout' is 0"),
        ({"timeout": "2 weeks"}, "'timeout' is '2 weeks'"),
        ({"retries": 1.5}, "'retries' is 1.5"),
        ({"mutex": [""]}, "'mutex' is"),
        ({"allow_daemons": "yes"}, "'allow_daemons' is 'yes'"),
    ],
)
def test_nonsense_is_refused_by_file_and_stage(asked: object, message: str) -> None:
    with pytest.raises(PipelineError) as raised:
        requirements_of(stage({"exprun": asked}))
    assert raised.value.where == "sub/dvc.yaml"
    assert f"stage 'train': meta.exprun {message}" in raised.value.message


TEXT = """\
stages:
  prepare:
    cmd: x
  train:
    MORE
      cmd: x
      meta:
        exprun: {gpus: 3}
"""


@pytest.mark.parametrize(
    ("name", "more"), [("train", "x: 1"), ("train@1", "foreach: [1]\n    do:")]
)
def test_the_line_is_told(tmp_path: Path, name: str, more: str) -> None:
    text = TEXT.replace("MORE", more)
    if "foreach" not in more:
        text = text.replace("      ", "    ")
    (tmp_path / "dvc.yaml").write_text(text)
    needy = Stage(
        name=name,
        file=Location("dvc.yaml"),
        wdir=Location(""),
        cmd="x",
        meta={"exprun": {"gpus": 3}},
    )
    with pytest.raises(UsageError, match="it needs 3 GPUs") as raised:
        require_fit([needy], Limits(jobs=1), DiskFiles(str(tmp_path)))
    line = text.splitlines().index(next(line for line in text.splitlines() if "gpus" in line)) + 1
    assert raised.value.where == f"dvc.yaml:{line}"


def test_a_key_misspelled_is_guessed() -> None:
    with pytest.raises(PipelineError) as raised:
        requirements_of(stage({"exprun": {"timeouts": 1}}))
    assert raised.value.hint == "did you mean 'timeout'?"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(5, 5), (0.5, 0.5), ("90", 90), ("90s", 90), ("2h", 7200), ("1h 30m", 5400), ("1d", 86400)],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [(5, 5), ("5", 5), ("1k", 1024), ("1.5G", 3 * 2**29), ("2 GiB", 2**31), ("1TB", 2**40)],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@settings(max_examples=50)
@given(st.integers(0, 9999), st.sampled_from("KMGT"))
def test_sizes_read_as_they_are_shown(number: int, unit: str) -> None:
    size = parse_size(f"{number}{unit}")
    assert abs(parse_size(format_size(size)) - size) <= size * 1e-3


def test_a_budget_on_the_command_line() -> None:
    assert parse_resources("gpus=2, cpus=8,mem=16G") == Resources(cpus=8, gpus=2, mem=2**34)
    assert parse_resources("gpus=0:3:5").gpus == ("0", "3", "5")
    assert parse_resources("gpus=3:").gpus == ("3",)
    assert parse_resources("gpus=0").gpus == 0


@pytest.mark.parametrize("text", ["gpus", "disk=1", "gpus=", "gpus=-1", "cpus=x", "mem=1X"])
def test_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match="--resources"):
        parse_resources(text)


def test_gpus_are_those_that_are_left_to_us() -> None:
    env = {"CUDA_VISIBLE_DEVICES": "4, 6,GPU-x"}
    assert Resources(gpus=2).limits(1, {}).gpus == ("0", "1")
    assert Resources(gpus=2).limits(1, env).gpus == ("4", "6")
    assert Resources().limits(1, env).gpus == ("4", "6", "GPU-x")
    assert Resources().limits(1, {}).gpus == ()
    assert Resources(gpus=("7",)).limits(1, env).gpus == ("7",)
    with pytest.raises(UsageError, match="names 3"):
        Resources(gpus=4).limits(1, env)


def test_no_gpu_is_there_twice() -> None:
    """A stage that needs two would wait for itself."""
    assert Resources().limits(1, {"CUDA_VISIBLE_DEVICES": "0,0"}).gpus == ("0",)
    assert Resources().limits(1, {"CUDA_VISIBLE_DEVICES": "1,-1,0"}).gpus == ("1",)
    assert Resources(gpus=("0", "0")).limits(1, {}).gpus == ("0",)


def test_files_say_what_the_command_line_does_not(tmp_path: Path) -> None:
    project, user = tmp_path / "project", tmp_path / "user"
    for directory, text in {project: "gpus = [0, 'a']", user: "gpus = 8\nmem = '1G'"}.items():
        directory.mkdir()
        (directory / "exprun.toml").write_text(f"[resources]\n{text}\n")
    found = load_resources((str(project), str(user), str(tmp_path / "absent")))
    assert found == Resources(gpus=("0", "a"), mem=2**30)
    assert Resources(cpus=2, mem=5).or_else(found) == Resources(cpus=2, gpus=("0", "a"), mem=5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[resources]\ngpu = 1", "has no 'gpu'"),
        ("[resources]\nmem = 'x'", "mem: a size"),
        ("[unknown]\n", "'unknown' is not known"),
        ("resources = 1", "must be a table"),
        ("[", "is no TOML document"),
    ],
)
def test_a_file_that_makes_no_sense_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "exprun.toml").write_text(text)
    with pytest.raises(ConfigError, match=message) as raised:
        load_resources((str(tmp_path),))
    assert raised.value.where == str(tmp_path / "exprun.toml")
