"""What a Kitfile must fulfil beyond its grammar: paths, names, pointers to other kits.

Source: kit 1.15.0's validation, and the cases in which kit packs what nobody can unpack; those
messages say so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from kitline.errors import KitfileError
from kitline.kit.kitfile import MANIFEST_VERSION, Kitfile, clean_path, is_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

_PART_TYPE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\Z")
_PART_TYPE_LIMIT = 64
_NO_REFERENCE = "holds ':' or '@', which kit takes for a reference to another kit"
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_S3 = r"s3://[^/?#]+/[^?#]+(\?versionId=[^?#&]*)?\Z"


class Problem(NamedTuple):
    """Something wrong at a field such as `model.parts[1].path`."""

    field: str
    reason: str


class Checked(NamedTuple):
    """What a check found."""

    problems: list[Problem]
    warnings: tuple[str, ...]


def check_kitfile(kitfile: Kitfile) -> Checked:
    """Return all problems and warnings of a Kitfile, in the order of its fields."""
    problems = [
        *_check_model(kitfile),
        *_check_datasets(kitfile),
        *_check_mcp_servers(kitfile),
        *_check_paths(kitfile),
    ]
    return Checked(problems, tuple(_warnings(kitfile)))


def require_valid(kitfile: Kitfile, source: str = "Kitfile") -> tuple[str, ...]:
    """Return the warnings of a Kitfile made in Python.

    Raises:
        KitfileError: if it has problems.
    """
    checked = check_kitfile(kitfile)
    if checked.problems:
        raise KitfileError(source, [f"{each.field}: {each.reason}" for each in checked.problems])
    return checked.warnings


def find_path_problem(path: str) -> str | None:
    """Return why a path cannot be that of a layer, None if it can."""
    if found := _CONTROL.search(path):
        return f"{path!r} holds the control character {found[0]!r}"
    if "://" in path or path.startswith("//"):
        return f"{path!r} looks like an address; only paths below the folder are possible here"
    if path.startswith("/"):
        return f"{path!r} is absolute; write it relative to the folder of the Kitfile"
    if clean_path(path).split("/")[0] == "..":
        return (
            f"{path!r} leads out of the folder of the Kitfile"
            " (kit packs an empty layer or a file from outside)"
        )
    if any(".." in name for name in clean_path(path).split("/")):
        return f"{path!r} holds '..' inside a name; kit packs it but cannot unpack it"
    if ":" in path or "@" in path:
        return f"{path!r} {_NO_REFERENCE}"
    return None


def _check_model(kitfile: Kitfile) -> Iterator[Problem]:
    model = kitfile.model
    if model is None:
        return
    if model.path and not model.is_remote and (reason := find_path_problem(model.path)):
        if reason.endswith(_NO_REFERENCE):
            reason = f"{model.path!r} is neither a path nor a reference to a kit with tag or digest"
        yield Problem("model.path", reason)
    if model.parts and not model.path:
        yield Problem(
            "model.path", "is missing; kit crashes when it unpacks parts of a model without a path"
        )
    for index, part in enumerate(model.parts):
        where = f"model.parts[{index}]"
        if part.type and not _PART_TYPE.match(part.type):
            reason = f"{part.type!r} is not letters, digits, '_', '.' and '-'"
            yield Problem(f"{where}.type", reason)
        if len(part.type.encode("utf-8", "replace")) > _PART_TYPE_LIMIT:
            yield Problem(f"{where}.type", f"is longer than {_PART_TYPE_LIMIT} characters")


def _check_datasets(kitfile: Kitfile) -> Iterator[Problem]:
    for index, dataset in enumerate(kitfile.datasets):
        where, target = f"datasets[{index}]", dataset.remote_path
        if not target:
            if dataset.remote_hash:
                yield Problem(f"{where}.remoteHash", "has no meaning without remotePath")
            continue
        if target.startswith("s3://"):
            if not re.match(_S3, target):
                reason = f"{target!r} is not 's3://BUCKET/KEY', with '?versionId=ID' if need be"
                yield Problem(f"{where}.remotePath", reason)
            if not dataset.remote_hash:
                reason = "is missing; an S3 object is named by its ETag too"
                yield Problem(f"{where}.remoteHash", reason)
        elif not is_reference(target):
            reason = f"{target!r} is neither 's3://BUCKET/KEY' nor a kit with tag or digest"
            yield Problem(f"{where}.remotePath", reason)


def _check_mcp_servers(kitfile: Kitfile) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, server in enumerate(kitfile.mcp_servers):
        where = f"mcpServers[{index}]"
        if not server.name:
            yield Problem(f"{where}.name", "is missing; MCP servers are told apart by it")
        elif server.name in seen:
            first = seen[server.name]
            yield Problem(f"{where}.name", f"{server.name!r} is that of mcpServers[{first}] too")
        else:
            seen[server.name] = index
        if not server.path.endswith(".mcpb"):
            yield Problem(f"{where}.path", f"{server.path!r} does not end in '.mcpb'")


def _check_paths(kitfile: Kitfile) -> Iterator[Problem]:
    """Check each path by itself, then all of them against each other."""
    users: dict[str, list[str]] = defaultdict(list)
    for where, entry in _entries(kitfile):
        reason = find_path_problem(entry.path)
        if reason:
            yield Problem(f"{where}.path", reason)
        users[clean_path(entry.path)].append(where)
    if kitfile.model and not kitfile.model.is_remote:
        users[clean_path(kitfile.model.path)].insert(0, "model")
    partitions = _local_datasets(kitfile)
    for path, fields in users.items():
        for where in fields[1:]:
            if where in partitions and fields[0] in partitions:
                continue  # parts of one dataset; pack asks the tree which file belongs to which
            reason = f"{path!r} is the path of {fields[0]} too"
            if where.startswith("prompts") or fields[0].startswith("prompts"):
                reason += "; kit does not look at prompts, and then unpacks one file twice"
            yield Problem(f"{where}.path", reason)
    yield from _check_remote_folders(kitfile, users)


def _local_datasets(kitfile: Kitfile) -> set[str]:
    return {f"datasets[{n}]" for n, each in enumerate(kitfile.datasets) if not each.is_remote}


def _check_remote_folders(kitfile: Kitfile, users: dict[str, list[str]]) -> Iterator[Problem]:
    for index, dataset in enumerate(kitfile.datasets):
        if not is_reference(dataset.remote_path):
            continue
        folder = clean_path(dataset.path)
        for path, fields in users.items():
            if path != folder and (folder == "." or path.startswith(folder + "/")):
                reason = f"{path!r} lies in {folder!r}, which datasets[{index}] fills from a kit"
                yield Problem(f"{fields[0]}.path", reason)


def _entries(kitfile: Kitfile) -> Iterator[tuple[str, Any]]:
    """Return every entry with a path except the model, with its field."""
    lists: dict[str, tuple[Any, ...]] = {
        "model.parts": kitfile.model.parts if kitfile.model else (),
        "code": kitfile.code,
        "datasets": kitfile.datasets,
        "docs": kitfile.docs,
        "prompts": kitfile.prompts,
        "mcpServers": kitfile.mcp_servers,
    }
    for name, entries in lists.items():
        for index, entry in enumerate(entries):
            yield f"{name}[{index}]", entry


def _warnings(kitfile: Kitfile) -> Iterator[str]:
    version = kitfile.manifest_version
    if version != MANIFEST_VERSION:
        yield f"manifestVersion is {version!r}; it is treated as {MANIFEST_VERSION!r}"
    for index, dataset in enumerate(kitfile.datasets):
        if dataset.remote_hash and is_reference(dataset.remote_path):
            yield f"datasets[{index}].remoteHash is ignored; the reference names the content"
    by_case: dict[str, str] = {}
    for part in kitfile.parts():
        other = by_case.setdefault(part.clean_path.lower(), part.clean_path)
        if other != part.clean_path:
            yield f"{other!r} and {part.clean_path!r} are one file where case does not count"
