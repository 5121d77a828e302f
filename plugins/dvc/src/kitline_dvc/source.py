"""Sources: how one names data that DVC tracks, `dvc:PATH@REV` and its relatives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from kitline.errors import UsageError
from kitline.plugin import without_passwords

STAGE = re.compile(r"(?P<file>(?:.*/)?dvc\.yaml):(?P<stage>[^/:]+)\Z")
"""A whole stage, as `dvc repro` names it."""
_HOST = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:\[\]-]*\Z", re.ASCII)
_FORMS = (
    "'dvc:PATH@REV', 'dvc:dvc.yaml:STAGE@REV', 'dvc+https://HOST/REPO?path=PATH&rev=REV'"
    " (also dvc+file, dvc+ssh), 'dvc-artifact:NAME@VERSION' or 'dvc-artifact:NAME#STAGE'"
)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """An entry under `artifacts:` of a dvc.yaml; the newest version if it says neither."""

    name: str
    version: str | None = None
    stage: str | None = None


@dataclass(frozen=True, kw_only=True)
class DvcSource:
    """What to import; without `repository` the paths stand as seen from the working directory."""

    paths: tuple[str, ...] = ()
    revision: str | None = None
    repository: str | None = None
    """An address with scheme `file`, `https` or `ssh`."""
    artifact: Artifact | None = None

    @classmethod
    def parse(cls, text: str) -> DvcSource:
        """Read a source.

        Raises:
            UsageError: if it is none of the known forms.
        """
        scheme, _, rest = text.partition(":")
        match scheme.lower():
            case "dvc":
                return _path(rest, text)
            case "dvc-artifact":
                return cls(artifact=_artifact(rest, text))
            case "dvc+file" | "dvc+https" | "dvc+ssh" as known:
                return _address(known.removeprefix("dvc+"), rest, text)
            case _:
                raise _unknown(text, f"{scheme!r} is no scheme of DVC")

    def canonical(self, commit: str) -> str:
        """The one spelling of what was read at a commit; where it lay is told apart from it."""
        return f"dvc:{','.join(self.paths)}@{commit}"


def read_repository(text: str) -> str | None:
    """Return the address of a repository; None if the text is a folder of this machine.

    Raises:
        UsageError: if it is an address of another kind.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return None
    if scheme.lower() not in ("file", "https", "ssh"):
        raise UsageError(
            f"option 'repo' is {without_passwords(text)!r}; write a folder or an address that"
            " begins with file://, https:// or ssh://"
        )
    _check_host(scheme.lower(), f"//{rest}", text)
    return text


def _path(rest: str, text: str) -> DvcSource:
    path, at, revision = rest.rpartition("@")
    if not at:
        path, revision = rest, ""
    if at and not revision:
        raise _unknown(text, "nothing follows the '@'")
    if rest.startswith("//") or not path:
        raise _unknown(text, "no path is named")
    return DvcSource(paths=(path,), revision=revision or None)


def _artifact(rest: str, text: str) -> Artifact:
    name, mark, stage = rest.partition("#")
    if mark and name and stage:
        return Artifact(name=name, stage=stage)
    name, at, version = rest.rpartition("@")
    if not at:
        name, version = rest, ""
    if mark or not name or (at and not version):
        raise _unknown(text, "an artifact is NAME, NAME@VERSION or NAME#STAGE")
    return Artifact(name=name, version=version or None)


def _address(scheme: str, rest: str, text: str) -> DvcSource:
    if not rest.startswith("//"):
        raise _unknown(text, "the scheme is followed by '//'")
    _check_host(scheme, rest, text)
    address, _, query = rest.partition("?")
    if "#" in rest:
        raise _unknown(text, "'#' is written %23")
    paths, revisions = [], []
    for key, value in parse_qsl(query, keep_blank_values=True, separator="&"):
        if key == "path" and value:
            paths.append(value)
        elif key == "rev" and value:
            revisions.append(value)
        else:
            raise _unknown(text, f"{key!r} is neither 'path' nor 'rev', or says nothing")
    if not paths or len(revisions) > 1:
        raise _unknown(text, "one or more 'path=' and at most one 'rev=' are needed")
    return DvcSource(
        paths=tuple(dict.fromkeys(paths)),
        revision=revisions[0] if revisions else None,
        repository=f"{scheme}:{address}",
    )


def _check_host(scheme: str, rest: str, text: str) -> None:
    parts = urlsplit(f"{scheme}:{rest.partition('?')[0]}")
    host = parts.netloc.rpartition("@")[2]
    if scheme == "file" and host not in ("", "localhost"):
        raise _unknown(text, f"a file lies on this machine, not on {host!r}; write file:///FOLDER")
    if scheme != "file" and not _HOST.match(host):
        raise _unknown(text, f"{host!r} is no host")
    if not unquote(parts.path).strip("/"):
        raise _unknown(text, "no repository is named")


def file_folder(address: str) -> str | None:
    """Return the folder of a `file://` address; None for others."""
    parts = urlsplit(address)
    return unquote(parts.path) if parts.scheme == "file" else None


def encode_paths(paths: tuple[str, ...]) -> str:
    """Return paths as a query holds them."""
    return "&".join(f"path={quote(each)}" for each in paths)


def _unknown(source: str, reason: str) -> UsageError:
    return UsageError(f"cannot read {without_passwords(source)!r}: {reason}; write {_FORMS}")
