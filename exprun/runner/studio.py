"""What dvclive in a stage is told of DVC Studio, as ``dvc exp run`` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exprun.project.environment import is_yes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exprun.git.repository import Repository
    from exprun.project.config import Studio

STUDIO_URL = "https://studio.datachain.ai"


def studio_env(config: Studio, env: Mapping[str, str], repository: Repository) -> dict[str, str]:
    """The variables for the stages of an experiment; none without a token and a repository.

    The environment wins over the configuration; the repository is where the branch is pushed to
    unless it is named.
    """
    token = env.get("DVC_STUDIO_TOKEN") or env.get("STUDIO_TOKEN") or config.token
    if not token or config.offline or is_yes(env.get("DVC_STUDIO_OFFLINE", "")):
        return {}
    named = env.get("DVC_STUDIO_REPO_URL") or env.get("STUDIO_REPO_URL") or config.repo_url
    repo_url = named or _pushed_to(repository)
    if not repo_url:
        return {}
    return {
        "DVC_STUDIO_REPO_URL": repo_url,
        "DVC_STUDIO_TOKEN": token,
        "DVC_STUDIO_URL": env.get("DVC_STUDIO_URL") or config.url or STUDIO_URL,
    }


def _pushed_to(repository: Repository) -> str | None:
    branch = repository.head().branch
    remote = repository.config.get(f"branch.{branch}.remote") if branch else None
    return repository.config.get(f"remote.{remote or 'origin'}.url")
