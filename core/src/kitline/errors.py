"""Every error that kitline raises on purpose.

KitlineError                      exit code 1 unless said otherwise
├── UsageError                    2  the request itself is wrong
│   ├── InvalidReference             a reference breaks the grammar
│   ├── InvalidSetting               a setting has an unusable value
│   └── AmbiguousReference           a tag or digest is needed and missing
├── VerificationError             3  content is not what its name promises
│   ├── DigestMismatch
│   ├── SizeMismatch
│   ├── ReferenceMoved               a name changed while it was being read
│   ├── FailedCheck                  one step of verifying a signature failed
│   └── NotSigned                    no signature or attestation passed all checks
├── MalformedContent              3  bytes from outside break their format
│   ├── InvalidDigest
│   ├── InvalidDescriptor
│   ├── InvalidManifest
│   ├── InvalidConfig                a kit's config blob
│   └── UnsafeLayer                  a layer that could write outside its folder
├── PolicyError                   3  a policy refuses that a kit is used
├── KitfileError                     one or more problems in a Kitfile
├── NotAModelKit                     an artifact of another kind
├── SourceError                      what is to be packed cannot be packed
│   └── SourceChanged                a file changed while it was read
├── TargetError                      the place to write to is not usable
├── NotFound                         nothing under that name or digest
│   ├── TagNotFound
│   ├── ManifestNotFound
│   ├── BlobNotFound
│   └── RepositoryNotFound
├── HasChildren                      a kit that others were made from is not removed
├── TagConflict                      a tag exists and may not move
├── PromotionLost                    another move of the stage at the same time won
├── PromotionUndone                  a check failed, and the stage went back
├── StoreError                       a store cannot do what was asked
│   ├── RegistryError                a registry answered with an error
│   │   ├── AuthenticationFailed
│   │   ├── AccessDenied
│   │   ├── LayerTooLarge
│   │   └── QuotaExceeded
│   ├── RegistryUnreachable          no usable answer after all retries
│   ├── NotPushed                    the tool has the content, the store has not
│   └── IndexDamaged                 the lineage index was unusable and has been removed
├── UnusableKey                      a key cannot be read or used
├── Cancelled                        the caller asked to stop
├── WriteBackFailed               4  pushed, but not written back to the tool
└── PluginError                      a plugin is missing, broken or in conflict
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class KitlineError(Exception):
    """Anything that kitline reports on purpose; its text is meant for people."""

    exit_code = 1


class UsageError(KitlineError):
    """The request cannot be understood or makes no sense."""

    exit_code = 2


class InvalidReference(UsageError):
    """A reference breaks the grammar; `part` names where."""

    def __init__(self, text: str, part: str, reason: str) -> None:
        said = f"invalid reference {text!r}: {part} {reason}"
        # people paste addresses with a password, and errors go into logs
        super().__init__(re.sub(r":[^/@\s]+@(?=[^@\s]*/)", ":…@", said))
        self.text = text
        self.part = part
        self.reason = reason


class InvalidSetting(UsageError):
    """A setting holds a value that cannot be used; `origin` tells where it was read."""

    def __init__(self, name: str, origin: str, reason: str) -> None:
        super().__init__(f"setting {name!r} from {origin}: {reason}")
        self.name = name
        self.origin = origin
        self.reason = reason


class AmbiguousReference(UsageError):
    """A tag or digest is needed; kitline never guesses `latest`."""


class VerificationError(KitlineError):
    """Content is not what its name promises; it was not used."""

    exit_code = 3


class DigestMismatch(VerificationError):
    """The digest of received bytes differs from the one they were asked for by."""

    def __init__(self, what: str, *, expected: str, actual: str) -> None:
        super().__init__(f"{what}: expected digest {expected}, found {actual}; nothing was kept")
        self.what = what
        self.expected = expected
        self.actual = actual


class SizeMismatch(VerificationError):
    """More or fewer bytes arrived than the descriptor promises (sizes in bytes)."""

    def __init__(self, what: str, *, expected: int, actual: int | str) -> None:
        super().__init__(f"{what}: expected {expected} bytes, found {actual}; nothing was kept")
        self.what = what
        self.expected = expected
        self.actual = actual


class ReferenceMoved(VerificationError):
    """A name pointed to one digest and then to another within one operation."""


class FailedCheck(VerificationError):
    """One step of verifying a signature failed; `check` names the step."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


class NotSigned(VerificationError):
    """Nothing about a manifest passed all checks; `failures` says why each candidate did not."""

    def __init__(self, message: str, failures: Sequence[str] = ()) -> None:
        shown = "".join(f"\n  {each}" for each in failures[:10])
        left = f"\n  and {len(failures) - 10} more" if len(failures) > 10 else ""
        super().__init__(message + shown + left)
        self.failures = tuple(failures)


class MalformedContent(KitlineError):
    """Bytes from outside break the format that they claim to have."""

    exit_code = 3


class InvalidDigest(MalformedContent):
    """A text is not a digest."""

    def __init__(self, text: object, reason: str) -> None:
        shown = repr(text if not isinstance(text, str) or len(text) < 200 else text[:200] + "…")
        super().__init__(f"invalid digest {shown}: {reason}")
        self.text = text
        self.reason = reason


class InvalidDescriptor(MalformedContent):
    """A descriptor breaks the image specification; `where` is its place in the document."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}" if where else reason)
        self.where = where
        self.reason = reason


class InvalidManifest(MalformedContent):
    """A manifest or index breaks the image specification."""


class InvalidConfig(MalformedContent):
    """The config blob of a kit cannot be understood."""


class UnsafeLayer(MalformedContent):
    """A layer holds an entry that could do harm or does not fit; nothing of it was kept."""


class PolicyError(KitlineError):
    """A policy refuses that a kit is used; `problems` says why, and nothing was written."""

    exit_code = 3

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        super().__init__(message + "".join(f"\n  {each}" for each in problems))
        self.problems = tuple(problems)


class KitfileError(KitlineError):
    """A Kitfile has problems; all of them are listed, each with its place."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{source}: {count}{lines}")
        self.source = source
        self.problems = tuple(problems)


class NotAModelKit(KitlineError):
    """The artifact exists but is of another kind."""


class SourceError(KitlineError):
    """What is to be packed is missing, unreadable or cannot be part of a kit."""


class SourceChanged(SourceError):
    """A file changed while it was read, so no digest would name it truthfully."""


class TargetError(KitlineError):
    """The place to write to exists already or cannot be written."""


class NotFound(KitlineError):
    """Nothing is there under that name or digest."""


class TagNotFound(NotFound):
    """The repository has no such tag."""


class ManifestNotFound(NotFound):
    """The repository has no manifest with that digest."""


class BlobNotFound(NotFound):
    """The repository has no blob with that digest."""


class RepositoryNotFound(NotFound):
    """The store has no such repository."""


class HasChildren(KitlineError):
    """A kit is not taken away, because others were made from it; `children` are their digests."""

    def __init__(self, message: str, *, children: tuple[str, ...]) -> None:
        super().__init__(message)
        self.children = children


class TagConflict(KitlineError):
    """A tag points elsewhere and may not be moved."""


class PromotionLost(KitlineError):
    """Another move of a stage at the same time won; `record` is ours, `winner` the other's."""

    def __init__(self, message: str, *, record: str, winner: str) -> None:
        super().__init__(message)
        self.record = record
        self.winner = winner


class PromotionUndone(KitlineError):
    """The check of a promotion failed; `digest` is what the stage holds now."""

    def __init__(self, message: str, *, digest: str) -> None:
        super().__init__(message)
        self.digest = digest


class StoreError(KitlineError):
    """A store cannot do what it was asked."""


class IndexDamaged(StoreError):
    """The lineage index was unusable and has been removed; trying again makes it anew."""


class RegistryError(StoreError):
    """A registry refused a request; carries the HTTP `status` and the registry's `code`."""

    def __init__(self, message: str, *, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class AuthenticationFailed(RegistryError):
    """The registry does not accept the credentials, or wants some and none were found."""


class AccessDenied(RegistryError):
    """The credentials are accepted but give no right to do this."""


class LayerTooLarge(RegistryError):
    """A layer is beyond what the registry documents as its limit; no byte was sent."""


class QuotaExceeded(RegistryError):
    """The registry has no room left for this project."""


class RegistryUnreachable(StoreError):
    """The registry gave no usable answer, after all retries."""


class NotPushed(StoreError):
    """A tool has what was to become a kit, and the kit did not land; `command` goes on."""

    def __init__(self, message: str, *, source: str, command: str) -> None:
        self.source = source
        self.command = command
        super().__init__(f"{message}; go on with '{command}'")


class UnusableKey(KitlineError):
    """A key cannot be found, read, decrypted or used for this."""


class Cancelled(KitlineError):
    """The caller asked to stop; nothing was left under a final name."""


class WriteBackFailed(KitlineError):
    """The push stands, as `reference`, but the tool that the content came from was not told."""

    exit_code = 4

    def __init__(self, message: str, *, reference: str = "") -> None:
        super().__init__(message)
        self.reference = reference


class PluginError(KitlineError):
    """A plugin is missing, broken or in conflict with another."""
