"""A project as its files describe it at one moment: every stage, the graph, and what is recorded."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from exprun.errors import ProjectError
from exprun.lockfile.codec import absent_lock, parse_lock
from exprun.pipeline.datafile import DataFile, load_data_file
from exprun.pipeline.graph import Graph, build_graph
from exprun.pipeline.load import PipelineFile, load_pipeline
from exprun.pipeline.plan import Reach, plan
from exprun.pipeline.targets import DATA_SUFFIX, Catalogue, Selector
from exprun.pipeline.templating import ParsingOptions
from exprun.project.collect import collect
from exprun.model.paths import Location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.lockfile.codec import Lockfile
    from exprun.model.experiment import Selection
    from exprun.model.files import Files
    from exprun.model.lock import LockedStage
    from exprun.model.stage import Stage
    from exprun.project.config import Config


def lock_of(pipeline: Location) -> Location:
    """The lock file beside a dvc.yaml."""
    return Location(pipeline.removesuffix(".yaml") + ".lock")
