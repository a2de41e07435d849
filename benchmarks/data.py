"""W8: large data: hashing, collecting, finding it unchanged, linking it into a workspace."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from benchmarks.measuring import Failed, interleaved, measure
from benchmarks.projects import Bench, make_data
from benchmarks.report import Row, Target, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASHING = Target(reach=1.05, stretch=1.02)
COLLECTING_BIG = Target(reach=1.15)
COLLECTING_MANY = Target(reach=3, stretch=1.5)
UNCHANGED = Target(reach=0.25, stretch=0.1, unit=" s")
UNCHANGED_FASTER = Target(reach=10, at_least=True)
LINKING = Target(reach=2, stretch=1.3)


def data(directory: Path, *, quick: bool) -> Iterator[Row]:
    files, big_mb = (1_000, 64) if quick else (10_000, 2048)
    rounds = 2 if quick else 3
    stock = directory / "stock"
    make_data(stock, files=files, big_mb=big_mb)
    yield from _hashing(directory, stock, f"{big_mb} MB", rounds)
    yield from _collecting(directory, stock / "big.bin", COLLECTING_BIG, f"{big_mb} MB", rounds)
    yield from _collecting(directory, stock / "small", COLLECTING_MANY, f"{files} files", rounds)
    yield from _unchanged(directory, stock / "small", f"{files} files", rounds)
    yield from _linking(directory, stock, f"{files} files + {big_mb} MB", rounds)


def _hashing(directory: Path, stock: Path, what: str, rounds: int) -> Iterator[Row]:
    """A dependency whose stat record no longer holds has to be read again."""
    bench = Bench.create(directory / "hashing")
    shutil.copyfile(stock / "big.bin", bench.root / "big.bin")
    bench.write(".gitignore", "/big.bin\n")
    bench.write("dvc.yaml", "stages:\n  s: {cmd: date > out, deps: [big.bin], outs: [out]}\n")
    measure(bench.exprun("repro"))
    bench.require_clean()
    costs = interleaved(
        {
            "start-up": bench.exprun("--version"),
            "md5sum": bench.command("md5sum", "big.bin"),
            "status": bench.exprun("status", prepare=lambda _: os.utime(bench.root / "big.bin")),
            "md5sum ": bench.command("md5sum", "big.bin"),
        },
        rounds,
    )
    floor = (costs["md5sum"].cpu_s + costs["md5sum "].cpu_s) / 2
    yield Row(
        work=f"W8 hash {what} in status, against md5sum",
        figure=costs["status"].cpu_s / floor,
        target=HASHING,
        values=milliseconds(it=costs["status"].cpu_s, floor=floor),
    )
    shutil.rmtree(bench.place.root)


def _collecting(
    directory: Path, source: Path, target: Target, what: str, rounds: int
) -> Iterator[Row]:
    """A stage whose command only moves the output to its place, so that collecting is the cost."""
    bench = Bench.create(directory / "collecting")
    move = "mv ../outside/stock out"
    bench.write("dvc.yaml", f"stages:\n  s: {{cmd: {move}, outs: [out]}}\n")
    stock, copy = bench.place.outside / "stock", bench.place.outside / "copy"
    used = bench.place.outside / "used"
    used.mkdir()

    def fresh(_: int) -> None:
        # Not deleted: for a while a file system may look at every inode that it has just freed.
        for path in (stock, copy, bench.root / "out", bench.root / ".dvc" / "cache"):
            if path.exists():
                path.rename(used / str(len(os.listdir(used))))
        _copy(source, stock)

    script = f"find {stock} -type f | xargs md5sum > /dev/null && cp -r {stock} {copy}"
    costs = interleaved(
        {
            "floor": bench.command("sh", "-c", script, prepare=fresh),
            "exprun": bench.exprun("repro", "-f", prepare=fresh),
        },
        rounds,
    )
    bench.require_clean()
    exprun, floor = costs["exprun"], costs["floor"]
    yield Row(
        work=f"W8 collect {what}, against md5sum + cp",
        figure=exprun.cpu_s / floor.cpu_s,
        target=target,
        values=milliseconds(it=exprun.cpu_s, floor=floor.cpu_s),
    )
    shutil.rmtree(bench.place.root)


def _unchanged(directory: Path, source: Path, what: str, rounds: int) -> Iterator[Row]:
    bench = Bench.create(directory / "unchanged")
    _copy(source, bench.root / "data")
    bench.write(".gitignore", "/data\n")
    bench.write("dvc.yaml", "stages:\n  s: {cmd: date > out, deps: [data], outs: [out]}\n")
    measure(bench.exprun("repro"))
    bench.require_clean()
    costs = interleaved({"exprun": bench.exprun("status"), "dvc": bench.real_dvc("status")}, rounds)
    exprun, dvc = costs["exprun"].cpu_s, costs["dvc"].cpu_s
    work = f"W8 status, unchanged dependency of {what}"
    yield Row(work=work, figure=exprun, target=UNCHANGED, unit=" s")
    yield Row(
        work=f"{work}, times faster than DVC",
        figure=dvc / exprun,
        target=UNCHANGED_FASTER,
        values=milliseconds(it=exprun, dvc=dvc),
    )
    shutil.rmtree(bench.place.root)


def _linking(directory: Path, stock: Path, what: str, rounds: int) -> Iterator[Row]:
    """An experiment in a workspace of its own whose data is hard-linked from the cache."""
    bench = Bench.create(directory / "linking")
    bench.write(".dvc/config", "[cache]\n    type = hardlink\n")
    _copy(stock, bench.root / "data")
    bench.write("params.yaml", "lr: 0\n")
    bench.write(
        "dvc.yaml",
        "stages:\n  s:\n    cmd: ls data > m.txt\n    params: [lr]\n    deps: [data]\n"
        "    metrics: [{m.txt: {cache: false}}]\n",
    )
    bench.dvc("add", "--quiet", "data")
    bench.commit()
    copy = bench.place.outside / "copy"
    costs = interleaved(
        {
            "start-up": bench.python("-c", "pass"),
            "cp -al": bench.command(
                "cp", "-al", "data", str(copy), prepare=lambda _: _remove(copy)
            ),
            "exprun": bench.exprun(
                "run", "--temp", prepare=lambda n: ("-S", f"lr={n + 1}", "-n", f"e{n + 1}")
            ),
        },
        rounds,
    )
    for number in range(1, rounds + 2):
        ref = bench.git("for-each-ref", "--format=%(refname)", f"refs/exps/**/e{number}").strip()
        if "small" not in bench.git("show", f"{ref}:m.txt"):
            raise Failed(f"{ref} does not hold the metrics")
    exprun, floor = costs["exprun"].cpu_s, costs["cp -al"].cpu_s + costs["start-up"].cpu_s
    yield Row(
        work=f"W8 experiment in a workspace of {what} by link, against cp -al + start-up",
        figure=exprun / floor,
        target=LINKING,
        values=milliseconds(it=exprun, floor=floor),
    )
    shutil.rmtree(bench.place.root)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
