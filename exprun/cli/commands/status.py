"""``exprun status``: what has changed since the stages last ran, as ``dvc status`` tells it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from exprun.cli import exits
from exprun.cli.messages import Warnings, warn
from exprun.lockfile.wording import status_json
from exprun.model.paths import is_outside, is_url, spell
from exprun.pipeline.targets import address
from exprun.project.answers import ask
from exprun.runner.looking import choose, look
from exprun.runner.opening import open_project
from exprun.runner.witness import keep_answer
from exprun.store.clock import file_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exprun.cli.parsing import Parser
    from exprun.lockfile.compare import Change
    from exprun.model.paths import Location
    from exprun.model.stage import Stage
    from exprun.runner.opening import Opened
    from exprun.runner.project import Project

Status = dict[str, list[str | dict[str, object]]]

_UP_TO_DATE = "Data and pipelines are up to date.\n"
_EMPTY = (
    "There are no data or pipelines tracked in this project yet.\n"
    "See <https://dvc.org/doc/start> to get started!\n"
)
_WORD_WIDTH = 20


class Request(NamedTuple):
    """A command line of ``exprun status``."""

    targets: Sequence[str] = ()
    recursive: bool = False
    with_deps: bool = False
    json: bool = False
    quiet: bool = False
    verbose: int = 0


def main(arguments: Sequence[str], *, cwd: str) -> int:
    """Print what has changed; with ``-q`` only the exit code tells.

    A file that cannot be loaded is reported after what the others say.
    """
    began_ns = file_clock()
    request = _parse(arguments)
    heard = Warnings(_silence if request.quiet else warn)
    opened = open_project(cwd, env=dict(os.environ), warn=heard)
    project = opened.load()
    here = opened.place.cwd
    stages = choose(
        project,
        request.targets,
        cwd=here,
        recursive=request.recursive,
        with_deps=request.with_deps,
    )
    found = _status(opened, project, stages, request)
    is_sound = bool(request.targets) or not project.broken
    text = _render(found, is_empty=not project.stages, as_json=request.json)
    if not request.quiet and (found or is_sound):
        sys.stdout.write(text)
    if not is_sound:
        project.require_sound()
    if not heard.any:
        question = ask(["status", *arguments], cwd=cwd, env=opened.env)
        keep_answer(
            question, text, opened=opened, project=project, stages=stages, began_ns=began_ns
        )
    return exits.FAILED if request.quiet and found else exits.OK


def _status(opened: Opened, project: Project, stages: Sequence[Stage], request: Request) -> Status:
    site = opened.site(project)
    here = opened.place.cwd
    found: Status = {}

    def display(location: Location) -> str:
        if is_outside(location) and not (is_url(location) or location.startswith("/")):
            return os.path.normpath(site.path(location))
        return spell(location, start=here)

    with site.store:
        for stage in stages:
            name = address(stage, here)
            if stage.frozen and not _is_repo_import(stage):
                opened.warn(
                    f"stage: '{name}' is frozen. Its dependencies are not going to be shown"
                    " in the status output."
                )
            changes = list(look(site, stage))
            if changes:
                found[name] = status_json(changes, display)
            if request.verbose:
                _explain(name, changes)
    return found


def _is_repo_import(stage: Stage) -> bool:
    return stage.is_import and "repo" in (stage.deps[0].source or ())


def _explain(name: str, changes: Sequence[Change]) -> None:
    from exprun.cli.reasons import describe_change

    sys.stderr.writelines(f"{name}: {describe_change(change)}\n" for change in changes)


def _render(found: Status, *, is_empty: bool, as_json: bool) -> str:
    if as_json:
        import json

        return json.dumps(found, indent=2 if sys.stdout.isatty() else None) + "\n"
    if found:
        return "".join(f"{line}\n" for line in _lines(found, 0))
    return _EMPTY if is_empty else _UP_TO_DATE


def _lines(told: object, depth: int) -> list[str]:
    """DVC's layout: one tab a level, and the word for a change ahead of its subject."""
    indent = "\t" * depth
    if isinstance(told, str):
        return [f"{indent}{told}"]
    if isinstance(told, list):
        return [line for item in told for line in _lines(item, depth)]
    lines: list[str] = []
    assert isinstance(told, dict)
    for subject, word in told.items():
        if isinstance(word, str):
            lines.append(f"{indent}{word + ':':<{_WORD_WIDTH}}{subject}")
        else:
            lines += [f"{indent}{subject}:", *_lines(word, depth + 1)]
    return lines


def _silence(message: str) -> None:
    """With ``-q`` warnings are not shown either, as in DVC."""


def _parse(arguments: Sequence[str]) -> Request:
    if not any(argument.startswith("-") for argument in arguments):
        # argparse takes longer to import than a small project to look at.
        return Request(targets=arguments)
    return Request(**vars(_parser().parse_args(arguments)))


def _parser() -> Parser:
    from exprun.cli.parsing import Parser

    parser = Parser("status", "Show what has changed since the stages last ran.")
    add = parser.add_argument
    add("targets", nargs="*", metavar="target", help="stages, dvc.yaml or .dvc files, outputs")
    add("-R", "--recursive", action="store_true", help="every stage below the target directories")
    add("-d", "--with-deps", action="store_true", help="the targets and what they need")
    add("--json", action="store_true", help="print one JSON object, as `dvc status --json`")
    talk = parser.add_mutually_exclusive_group()
    talk.add_argument(
        "-q", "--quiet", action="store_true", help="print nothing; exit with 1 if anything changed"
    )
    talk.add_argument(
        "-v", "--verbose", action="count", default=0, help="tell old and new values on stderr"
    )
    return parser
