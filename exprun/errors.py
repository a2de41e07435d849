"""The exceptions exprun raises, by whose fault it was.

ExprunError
├── UsageError               the request itself: options, names, targets, overrides
├── ProjectError             the project's files
│   ├── NotAProject
│   ├── ConfigError
│   ├── PipelineError        dvc.yaml and .dvc files, templating, the graph
│   ├── LockfileError
│   ├── ParamsError
│   └── MissingDependency
├── StoreError               the DVC cache and its remotes
├── GitError                 the Git repository
│   ├── IndexConflict
│   ├── RefConflict
│   └── UnknownRepository    of a kind that exprun does not know
├── ExecutorError            starting and following jobs
└── ExperimentFailed         a stage failed; only raised when asked to

The command line maps each to an exit code; a library caller reads the fields.
"""


class ExprunError(Exception):
    """What went wrong, where (``file`` or ``file:line``) and what to do next (`hint`)."""

    def __init__(self, message: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, where, hint)
        self.message = message
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.__dict__)

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


def _rebuild(cls: type[ExprunError], fields: dict[str, object]) -> ExprunError:
    error = cls.__new__(cls)
    error.__dict__.update(fields)
    error.args = (fields["message"], fields["where"], fields["hint"])
    return error


class UsageError(ExprunError):
    """The request cannot be carried out as asked; nothing was changed."""


class ProjectError(ExprunError):
    """A file of the project is missing, malformed or contradicts another."""


class NotAProject(ProjectError):
    """There is no DVC project, no Git repository, or no commit here."""


class ConfigError(ProjectError):
    """A DVC or exprun configuration file cannot be used."""


class PipelineError(ProjectError):
    """A dvc.yaml or .dvc file cannot be loaded, resolved, or joined into a graph."""


class LockfileError(ProjectError):
    """A dvc.lock cannot be used."""


class ParamsError(ProjectError):
    """A parameters file cannot be read, lacks a key, or cannot be edited."""


class MissingDependency(ProjectError):
    """A dependency of a stage does not exist."""


class StoreError(ExprunError):
    """The cache or a remote failed, or holds damaged data."""


class GitError(ExprunError):
    """The Git repository refused or failed an operation."""


class IndexConflict(GitError):
    """A merge has left conflicts in the index, so that there is no telling what the files are."""


class RefConflict(GitError):
    """A ref that had to be absent, or at a known commit, was not."""


class UnknownRepository(GitError):
    """The Git repository is of a kind that exprun does not know: with SHA-256 names, say."""


class ExecutorError(ExprunError):
    """An executor could not start or follow a job.

    `transient` says whether trying again may help, `nothing_ran` that no command was started.
    """

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        transient: bool = False,
        nothing_ran: bool = False,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.transient = transient
        self.nothing_ran = nothing_ran


class ExperimentFailed(ExprunError):
    """A stage of the experiment failed. `kept` is a commit of what there was, if that is kept."""

    kept: str | None = None
