"""Settings: one frozen value from files, environment and options, each with its origin.

In rising order: built-in defaults, the system file, the user's file, the project's file, the
environment (`KITLINE_…`), options. A `[policy]` table in any file can only tighten what a file
below it in this order said; so can the policy file of `KITLINE_POLICY`.
"""

from __future__ import annotations

import os
from dataclasses import field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidSetting, UsageError
from kitline.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kitline.store.registry import Sessions
    from kitline.trust.gate import Gate

PROJECT_FILE = "kitline.toml"
SYSTEM_FILE = Path("/etc/kitline/config.toml")
POLICY_FILE = "KITLINE_POLICY"
"""The variable that names a policy file."""
DEFAULT = "default"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text")
    return value


def _path(value: object) -> Path:
    return Path(_text(value)).expanduser()


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    found = known.get(_text(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither true nor false")
    return found


def _count(value: object) -> int:
    try:
        number = int(value) if isinstance(value, str) else value
    except ValueError:
        number = None
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 64:
        raise ValueError(f"{value!r} is not a number from 1 to 64")
    return number


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(each.strip() for each in value.split(",") if each.strip())
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise ValueError("is not a list of texts")


def _registry(value: object) -> str:
    from kitline.oci.reference import Reference

    text = _text(value).rstrip("/")
    if Reference.parse(f"{text}/x").registry is None:
        raise ValueError(f"{text!r} names no registry; write 'host[:port][/path]'")
    return text


def _edges(value: object) -> str:
    """Read where derived edges go: a word, or the one repository that collects them."""
    from kitline.oci.reference import Reference

    text = _text(value)
    if text in ("near", "parent", "off"):
        return text
    found = Reference.parse(text)
    if found.registry is None or found.tag is not None or found.digest is not None:
        raise ValueError(f"{text!r} is none of near, parent, off and no 'REGISTRY/REPOSITORY'")
    return text


def _repositories(value: object) -> tuple[str, ...]:
    from kitline.oci.reference import Reference

    names = _names(value)
    for each in names:
        found = Reference.parse(each)
        if found.registry is None or found.tag is not None or found.digest is not None:
            raise ValueError(f"{each!r} is no 'REGISTRY/REPOSITORY'")
    return names


def _one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return read


def _setting(read: Callable[[object], Any], default: Any, summary: str) -> Any:
    return field(default=default, metadata={"read": read, "summary": summary})


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What an administrator forbids; files further down can only add to it."""

    allow_insecure: bool = True
    allow_plain_http: bool = True
    registries: tuple[str, ...] = ()
    """Registries that may be used; empty means any."""
    public_only: bool = False
    """Refuse private addresses of hosts that are not in `registries`; for servers, set in code."""
    gates: tuple[Gate, ...] = ()
    """What is demanded of a kit before it is used; each of them has to be passed."""

    def tighten(self, other: Policy) -> Policy:
        """Return what both allow."""
        both = tuple(each for each in other.registries if each in self.registries)
        if self.registries and other.registries and not both:
            both = ("none.invalid",)
        return Policy(
            allow_insecure=self.allow_insecure and other.allow_insecure,
            allow_plain_http=self.allow_plain_http and other.allow_plain_http,
            registries=both or self.registries or other.registries,
            public_only=self.public_only or other.public_only,
            gates=(*self.gates, *other.gates),
        )


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that can be set; use `Settings.load`."""

    home: Path = _setting(_path, None, "folder of the local store, journals and memos")
    registry: str | None = _setting(_registry, None, "prefix of the remote side of push and pull")
    plain_http: tuple[str, ...] = _setting(
        _names, (), "registries that speak plain HTTP (those on loopback always do)"
    )
    insecure: tuple[str, ...] = _setting(
        _names, (), "registries whose TLS certificate is not checked"
    )
    ca_file: Path | None = _setting(_path, None, "PEM file of additional certificate authorities")
    concurrency: int = _setting(_count, 4, "blobs moved at the same time")
    keep_tag: bool = _setting(_flag, True, "leave a tag of its own beside each pushed kit")
    write_back: str = _setting(
        _one_of("warn", "require", "off"), "warn", "what a failed write-back to a tool means"
    )
    disable_plugins: tuple[str, ...] = _setting(_names, (), "plugins not to load, or 'all'")
    edges: str = _setting(
        _edges,
        "near",
        "where it is noted what was derived from a kit: near, parent, off or REGISTRY/REPOSITORY",
    )
    lineage: tuple[str, ...] = _setting(
        _repositories, (), "repositories of registries that 'kitline lineage index' reads"
    )
    mirrors: tuple[str, ...] = _setting(
        _repositories, (), "repositories where parents are looked for that lie nowhere else"
    )
    sign_key: str | None = _setting(_text, None, "private key that signs provenance")
    source_date_epoch: int | None = field(default=None, metadata={"env": "SOURCE_DATE_EPOCH"})
    policy: Policy = Policy()
    credentials: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False, hash=False)
    """User name and password by registry, from a program that keeps them itself, such as a
    scheduler. Set in code only: no file, variable or option holds them."""
    tries: int | None = field(default=None)
    """How often a request is tried, for programs that come back by themselves; None: as usual."""
    sessions: Sessions | None = field(default=None, repr=False, compare=False)
    """Connections and tokens that outlive one operation, for programs that ask often."""
    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        options: Mapping[str, object] | None = None,
        system: Path = SYSTEM_FILE,
    ) -> Settings:
        """Collect the settings; `system` is the file of the machine's administrator.

        Raises:
            InvalidSetting: naming the setting, where it was read and what it should be.
        """
        environ = os.environ if environment is None else environment
        values: dict[str, Any] = {"home": _default_home()}
        origins: dict[str, str] = {}
        policy = Policy()
        for path in _files(environ, folder or Path.cwd(), system):
            found = _read_file(path)
            policy = policy.tighten(_read_policy(found.pop("policy", {}), path, f"file {path}"))
            _take(values, origins, found, f"file {path}")
        _take(values, origins, _from_environment(environ), "environment")
        _take(values, origins, {k: v for k, v in (options or {}).items() if v}, "option")
        settings = cls(**values, policy=policy, origins=origins)
        if environ.get(POLICY_FILE):
            settings = settings.with_policy(Path(environ[POLICY_FILE]), f"file of {POLICY_FILE}")
        return replace(settings, source_date_epoch=_epoch(environ))

    def with_policy(self, path: Path, origin: str | None = None) -> Settings:
        """Return the settings with a further policy file, which has to be obeyed as well.

        Raises:
            InvalidSetting: if it cannot be read; nothing is used then.
        """
        from kitline.operations.policy.file import read_policy_table

        origin = origin or f"file {path}"
        found = _read_policy(read_policy_table(path, origin), path, origin)
        return replace(self, policy=self.policy.tighten(found))

    @property
    def is_home_chosen(self) -> bool:
        """Whether somebody said where `home` is, in settings or in code."""
        return "home" in self.origins or self.home != _default_home()

    @property
    def store_folder(self) -> Path:
        """Where the local store's layouts lie."""
        return self.home / "store"

    @property
    def journal_folder(self) -> Path:
        """Where unfinished uploads are noted."""
        return self.home / "journal"

    @property
    def memo_file(self) -> Path:
        """Where digests of layers are remembered by the fingerprints of their files."""
        return self.home / "cache" / "layers.sqlite"

    @property
    def lineage_file(self) -> Path:
        """Where the lineage of kits is kept for quick answers; it can always be made anew."""
        return self.home / "cache" / "lineage.sqlite"

    def speaks_plain_http(self, registry: str) -> bool | None:
        """Tell whether plain HTTP was asked for; None leaves it to the loopback rule."""
        if registry not in self.plain_http:
            return None
        if not self.policy.allow_plain_http:
            raise UsageError(f"plain HTTP to {registry!r} is forbidden by policy")
        return True

    def is_insecure(self, registry: str) -> bool:
        """Tell whether the certificate of `registry` is not to be checked."""
        if registry not in self.insecure:
            return False
        if not self.policy.allow_insecure:
            raise UsageError(f"insecure TLS to {registry!r} is forbidden by policy")
        return True

    def describe(self) -> list[dict[str, Any]]:
        """Return every setting with its value, origin and summary, for `kitline config`."""
        return [
            {
                "name": each.name,
                "value": getattr(self, each.name),
                "origin": self.origins.get(each.name, DEFAULT),
                "variable": f"KITLINE_{each.name.upper()}",
                "summary": each.metadata["summary"],
            }
            for each in _known()
        ] + [
            {
                "name": "policy",
                "value": tuple(each.origin for each in self.policy.gates),
                "origin": "all that are named" if self.policy.gates else DEFAULT,
                "variable": POLICY_FILE,
                "summary": "policies that a kit has to pass before it is used",
            }
        ]


def _known() -> list[Any]:
    return [each for each in fields(Settings) if "read" in each.metadata]


def _default_home() -> Path:
    from platformdirs import user_data_path

    return user_data_path("kitline")


def _files(environ: Mapping[str, str], folder: Path, system: Path) -> list[Path]:
    from platformdirs import user_config_path

    user = environ.get("KITLINE_CONFIG")
    found = [
        _need_look(system),
        Path(user) if user else user_config_path("kitline") / "config.toml",
    ]
    places = (each / PROJECT_FILE for each in (folder, *folder.parents))
    project = next((each for each in places if _is_file(each)), None)
    if user and not _is_file(Path(user)):
        raise InvalidSetting("config", "KITLINE_CONFIG", f"there is no file {user!r}")
    return [each for each in (*found, project) if each is not None and _is_file(each)]


def _need_look(system: Path) -> Path:
    """Refuse to go on where the machine's policy may lie but cannot be seen."""
    try:
        system.is_file()
    except OSError as cause:
        problem = f"may hold a policy and cannot be looked at: {cause.strerror}"
        raise InvalidSetting("config", f"file {system}", problem) from cause
    return system


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may not be entered holds no settings for us
        return False


def _read_file(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as cause:
        raise InvalidSetting("config", f"file {path}", f"cannot be read: {cause}") from cause


def _read_policy(table: object, path: Path, origin: str) -> Policy:
    if not isinstance(table, dict):
        raise InvalidSetting("policy", origin, "is not a table")
    known = {"allow_insecure": _flag, "allow_plain_http": _flag, "registries": _names}
    values: dict[str, Any] = {}
    if not known.keys() >= table.keys():
        from kitline.operations.policy.file import GATE_KEYS, read_gate

        for name in table:
            if name not in (*known, *GATE_KEYS):
                words = ", ".join((*known, *GATE_KEYS))
                raise InvalidSetting(f"policy.{name}", origin, f"is not one of {words}")
        gate = read_gate(table, path, origin)
        values["gates"] = (gate,) if gate else ()
    for name in known.keys() & table.keys():
        try:
            values[name] = known[name](table[name])
        except ValueError as cause:
            raise InvalidSetting(f"policy.{name}", origin, str(cause)) from cause
    return Policy(**values)


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    named = {each.name: f"KITLINE_{each.name.upper()}" for each in _known()}
    return {name: environ[variable] for name, variable in named.items() if environ.get(variable)}


def _take(
    values: dict[str, Any], origins: dict[str, str], found: Mapping[str, object], origin: str
) -> None:
    known = {each.name: each for each in _known()}
    for name, value in found.items():
        each = known.get(name)
        if each is None:
            raise InvalidSetting(name, origin, f"is not one of {', '.join(sorted(known))}")
        try:
            values[name] = each.metadata["read"](value)
        except (ValueError, UsageError) as cause:
            raise InvalidSetting(name, origin, str(cause)) from cause
        where = f"{origin} KITLINE_{name.upper()}" if origin == "environment" else origin
        origins[name] = where


def _epoch(environ: Mapping[str, str]) -> int | None:
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise InvalidSetting(
            "source_date_epoch",
            "environment SOURCE_DATE_EPOCH",
            f"{text!r} is not a number of seconds",
        )
    return int(text)
