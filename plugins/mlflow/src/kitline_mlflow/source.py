"""Sources: how one names what MLflow holds.

mlflow://runs/ID                         a run, at the ambient server
mlflow://HOST/experiments/E/runs/ID      a run, at a server
runs:/ID, runs:/ID/NAME                  a run, or its model of that name
models:/m-ID                             a logged model
models:/NAME/3, models:/NAME@champion    a version of a registered model
prompts:/NAME/2, prompts:/NAME@best      a version of a prompt
mlflow://experiments/E, models:/NAME     containers: only listed, never packed as a whole
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kitline.errors import UsageError
from kitline.plugin import without_passwords

from kitline_mlflow.aliases import is_alias

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,255}\Z", re.ASCII)
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}\Z", re.ASCII)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z", re.ASCII)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::[0-9]+)?\Z", re.ASCII)
_NAME = re.compile(r"[^/:@\x00-\x1f\x7f]{1,256}\Z")
_KINDS = ("runs", "experiments", "models", "prompts")
_VERSION = re.compile(r"[0-9]{1,18}\Z", re.ASCII)
_FORMS = (
    "'mlflow://runs/ID', 'mlflow://HOST/experiments/E/runs/ID', 'runs:/ID', 'models:/m-ID',"
    " 'models:/NAME/VERSION', 'models:/NAME@ALIAS' or 'prompts:/NAME/VERSION'"
)


@dataclass(frozen=True, kw_only=True)
class _AtServer:
    """What lies at a tracking server; `host` only where the source names it."""

    host: str | None = None

    @property
    def tracking_uri(self) -> str | None:
        """The server that the source names; loopback hosts speak plain HTTP, others HTTPS."""
        return _server(self.host)


@dataclass(frozen=True, kw_only=True)
class RunSource(_AtServer):
    """A run; `host` and `experiment` only where the source names them."""

    run_id: str
    experiment: str | None = None
    model: str | None = None
    """Name of one of its models."""

    @classmethod
    def parse(cls, text: str) -> RunSource:
        """Read a source that names a run.

        Raises:
            UsageError: if it is none of the known forms.
        """
        found = parse_source(text)
        if not isinstance(found, cls):
            raise _unknown(text, "no run is named")
        return found

    @property
    def canonical(self) -> str:
        """The one spelling: where the run lies is told apart from it."""
        return f"mlflow://runs/{self.run_id}"


@dataclass(frozen=True, kw_only=True)
class ExperimentSource(_AtServer):
    """All runs of an experiment; a container."""

    experiment: str


@dataclass(frozen=True, kw_only=True)
class LoggedModelSource(_AtServer):
    """A logged model by its id."""

    model_id: str


@dataclass(frozen=True, kw_only=True)
class VersionSource(_AtServer):
    """A version of a registered model, by number or by alias."""

    name: str
    version: str | None = None
    alias: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegisteredSource(_AtServer):
    """All versions of a registered model; a container."""

    name: str


@dataclass(frozen=True, kw_only=True)
class PromptSource(_AtServer):
    """A version of a prompt, by number or by alias."""

    name: str
    version: str | None = None
    alias: str | None = None


Source = (
    RunSource
    | ExperimentSource
    | LoggedModelSource
    | VersionSource
    | RegisteredSource
    | PromptSource
)


def parse_source(text: str) -> Source:
    """Read a source.

    Raises:
        UsageError: if it is none of the known forms.
    """
    scheme, _, rest = text.partition(":")
    match scheme.lower():
        case "runs":
            run_id, slash, model = rest.removeprefix("/").partition("/")
            if slash and not _NAME.match(model):
                raise _unknown(text, f"{model!r} is not the name of a model")
            return RunSource(run_id=_run_id(run_id, text), model=model or None)
        case "models":
            return _model(rest.removeprefix("/"), text, None)
        case "prompts":
            return _prompt(rest.removeprefix("/"), text, None)
    return _mlflow(rest, text)


def _mlflow(rest: str, text: str) -> Source:
    if not rest.startswith("//"):
        raise _unknown(text, "'mlflow:' is followed by '//'")
    parts = rest[2:].split("/")
    host = None if parts[0] in _KINDS else _host(parts.pop(0), text)
    match parts:
        case ["runs", run_id]:
            return RunSource(run_id=_run_id(run_id, text), host=host)
        case ["experiments", experiment, "runs", run_id] if _ID.match(experiment):
            return RunSource(run_id=_run_id(run_id, text), experiment=experiment, host=host)
        case ["experiments", experiment] if _ID.match(experiment):
            return ExperimentSource(experiment=experiment, host=host)
        case ["models", *model]:
            return _model("/".join(model), text, host)
        case ["prompts", *prompt]:
            return _prompt("/".join(prompt), text, host)
        case _:
            raise _unknown(text, "no run is named")


def _model(
    rest: str, text: str, host: str | None
) -> LoggedModelSource | VersionSource | RegisteredSource:
    if _MODEL_ID.match(rest):
        return LoggedModelSource(model_id=rest, host=host)
    name, version, alias = _named(rest, text, "model")
    if version is None and alias is None:
        return RegisteredSource(name=name, host=host)
    return VersionSource(name=name, version=version, alias=alias, host=host)


def _prompt(rest: str, text: str, host: str | None) -> PromptSource:
    name, version, alias = _named(rest, text, "prompt")
    if version is None and alias is None:
        raise _unknown(text, "no version is named, and kitline never guesses the latest")
    return PromptSource(name=name, version=version, alias=alias, host=host)


def _named(rest: str, text: str, what: str) -> tuple[str, str | None, str | None]:
    name, slash, version = rest.partition("/")
    at, alias = "", ""
    if not slash and "@" in name:
        name, at, alias = name.rpartition("@")
    if not _NAME.match(name):
        raise _unknown(text, f"{name!r} is not the name of a {what}")
    if slash and not _VERSION.match(version):
        raise _unknown(text, f"{version!r} is not a version number")
    if at and not is_alias(alias):
        raise _unknown(text, f"{alias!r} is not an alias")
    # '03' is the version 3: one spelling for each
    return name, str(int(version)) if slash else None, alias if at else None


def _server(host: str | None) -> str | None:
    if host is None:
        return None
    return f"{'http' if _LOOPBACK.match(host) else 'https'}://{host}"


def _host(text: str, source: str) -> str:
    if "@" in text:
        raise _unknown(source, "a source names no user, MLFLOW_TRACKING_USERNAME does")
    if not _HOST.match(text):
        raise _unknown(source, f"{text!r} is not 'host' or 'host:port'")
    return text.lower()


def _run_id(text: str, source: str) -> str:
    if not _ID.match(text):
        raise _unknown(source, f"{text!r} is not a run id")
    return text


def _unknown(source: str, reason: str) -> UsageError:
    return UsageError(f"cannot read {without_passwords(source)!r}: {reason}; write {_FORMS}")
