"""Policy files: the tables of `[policy]` that say which kits may be used, read into a gate.

The same table stands in a settings file, in the file of `KITLINE_POLICY` and in that of `--policy`.
A key that kitline does not know is refused: a policy must not be weaker than who wrote it believes.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kitline.errors import InvalidDigest, InvalidReference, InvalidSetting, UsageError
from kitline.oci.digest import Digest
from kitline.oci.reference import Reference
from kitline.trust.gate import (
    SENSITIVITIES,
    Classification,
    Demand,
    Gate,
    Revocation,
    Rule,
    Voucher,
    comparable_name,
)
from kitline.trust.key_source import ENVIRONMENT, KMS_SCHEMES
from kitline.trust.predicate_types import predicate_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

RULE_KEYS = (
    "pinned",
    "keys",
    "attestations",
    "forbidden_formats",
    "max_sensitivity",
    "signed_promotions",
)
GATE_KEYS = (*RULE_KEYS, "rules", "listed_only", "revocation", "classification")
"""The keys of `[policy]` that make a gate; the others are about registries."""
SIZE_LIMIT = 1 << 20


def read_policy_table(path: Path, origin: str) -> dict[str, Any]:
    """Return the `[policy]` table of a policy file, which holds nothing else.

    Raises:
        InvalidSetting: if it cannot be read, or holds no such table.
    """
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT + 1)
        if len(content) > SIZE_LIMIT:
            raise ValueError(f"it has more than {SIZE_LIMIT} bytes")
        found = tomllib.loads(content.decode("utf-8"))
    except OSError as cause:
        raise InvalidSetting(
            "policy", origin, f"{str(path)!r} cannot be read: {cause.strerror}"
        ) from cause
    except ValueError as cause:
        raise InvalidSetting("policy", origin, f"{str(path)!r} cannot be read: {cause}") from cause
    if list(found) != ["policy"] or not isinstance(found["policy"], dict):
        raise InvalidSetting(
            "policy", origin, f"{str(path)!r} is to hold '[policy]' and its tables, nothing else"
        )
    return found["policy"]


def read_gate(table: Mapping[str, Any], path: Path, origin: str) -> Gate | None:
    """Read the gate in a `[policy]` table; None if it has none. Keys lie beside the file `path`.

    Raises:
        InvalidSetting: naming the key that is wrong.
    """
    if not any(each in table for each in GATE_KEYS):
        return None
    return _Reader(path.parent, origin).gate({k: table[k] for k in GATE_KEYS if k in table})


class _Reader:
    """Reads one file's tables; keeps where it is, for messages."""

    def __init__(self, folder: Path, origin: str) -> None:
        self._folder = folder
        self._origin = origin

    def gate(self, table: Mapping[str, Any]) -> Gate:
        general = {key: table[key] for key in RULE_KEYS if key in table}
        rules = [self._rule(general, "policy")] if general else []
        listed = table.get("rules", [])
        if not isinstance(listed, list):
            raise self._wrong("policy.rules", "is not a list of tables; write '[[policy.rules]]'")
        for number, each in enumerate(listed):
            rules.append(self._rule(each, f"policy.rules[{number}]", listed=True))
        gate = Gate(
            origin=self._origin,
            rules=tuple(rules),
            listed_only=self._flag(table, "listed_only", "policy"),
            revocation=self._revocation(table.get("revocation")),
            classification=self._classification(table.get("classification")),
        )
        limited = any(rule.max_sensitivity for rule in rules)
        if limited and (gate.classification is None or not gate.classification.vouchers):
            raise self._wrong(
                "policy.max_sensitivity",
                "takes [policy.classification] with 'keys': whose word on sensitivity counts",
            )
        return gate

    def _rule(self, table: object, where: str, *, listed: bool = False) -> Rule:
        allowed = ("repositories", *RULE_KEYS) if listed else RULE_KEYS
        fields = self._table(table, where, allowed)
        vouchers = self._vouchers(fields, where)
        maximum = fields.get("max_sensitivity")
        if maximum is not None and maximum not in SENSITIVITIES:
            raise self._wrong(
                f"{where}.max_sensitivity", f"{maximum!r} is none of {', '.join(SENSITIVITIES)}"
            )
        rule = Rule(
            pinned=self._flag(fields, "pinned", where),
            vouchers=vouchers,
            attestations=self._demands(fields, where, vouchers),
            forbidden_formats=tuple(
                each.lower() for each in self._texts(fields, "forbidden_formats", where)
            ),
            max_sensitivity=maximum,
            **self._promotions(fields, where, vouchers),
        )
        if not listed:
            return rule
        names = self._texts(fields, "repositories", where)
        if not names:
            raise self._wrong(f"{where}.repositories", "is missing; write ['**'] for all")
        return replace(
            rule, is_listed=True, repositories=tuple(comparable_name(each) for each in names)
        )

    def _promotions(
        self, fields: Mapping[str, Any], where: str, vouchers: tuple[Voucher, ...]
    ) -> dict[str, Any]:
        asked = fields.get("signed_promotions", False)
        if asked is False:
            return {}
        if not vouchers:
            raise self._wrong(f"{where}.signed_promotions", "takes 'keys' of who may promote")
        if asked is True:
            return {"promoters": vouchers, "stages": None}
        return {
            "promoters": vouchers,
            "stages": self._texts(fields, "signed_promotions", where),
        }

    def _revocation(self, table: object) -> Revocation | None:
        if table is None:
            return None
        where = "policy.revocation"
        fields = self._table(table, where, ("keys", "kits", "also_in", "unreachable"))
        found = Revocation(
            vouchers=self._vouchers(fields, where),
            kits=self._each(fields, "kits", where, Digest),
            also_in=self._each(fields, "also_in", where, _repository),
            allow_unreachable=self._unreachable(fields, where),
        )
        if not found.vouchers and not found.kits:
            raise self._wrong(
                where, "takes 'keys' of who may revoke, or 'kits' that are revoked, or both"
            )
        return found

    def _classification(self, table: object) -> Classification | None:
        if table is None:
            return None
        where = "policy.classification"
        fields = self._table(table, where, ("keys", "required", "unreachable"))
        found = Classification(
            vouchers=self._vouchers(fields, where),
            required=self._flag(fields, "required", where),
            allow_unreachable=self._unreachable(fields, where),
        )
        if not found.vouchers:
            raise self._wrong(where, "takes 'keys' of whose word on sensitivity counts")
        return found

    def _unreachable(self, fields: Mapping[str, Any], where: str) -> bool:
        word = fields.get("unreachable", "refuse")
        if word not in ("refuse", "allow"):
            raise self._wrong(f"{where}.unreachable", f"{word!r} is neither 'refuse' nor 'allow'")
        return bool(word == "allow")

    def _demands(
        self, fields: Mapping[str, Any], where: str, vouchers: tuple[Voucher, ...]
    ) -> tuple[Demand, ...]:
        found = fields.get("attestations", [])
        if not isinstance(found, list):
            raise self._wrong(f"{where}.attestations", "is not a list")
        demands = []
        for number, each in enumerate(found):
            there = f"{where}.attestations[{number}]"
            table = self._table({"type": each} if isinstance(each, str) else each, there,
                                ("type", "keys"))  # fmt: skip
            try:
                kind = predicate_type(str(table.get("type", "")))
            except UsageError as cause:
                raise self._wrong(f"{there}.type", str(cause)) from cause
            own = self._vouchers(table, there) or vouchers
            if not own:
                raise self._wrong(there, "takes 'keys': nobody's word on it would count")
            demands.append(Demand(predicate_type=kind, vouchers=own))
        return tuple(demands)

    def _vouchers(self, fields: Mapping[str, Any], where: str) -> tuple[Voucher, ...]:
        if "keys" not in fields:
            return ()
        found = fields["keys"]
        if not isinstance(found, list) or not found:
            raise self._wrong(f"{where}.keys", "is not a list of keys, or empty")
        return tuple(
            self._voucher(each, f"{where}.keys[{number}]") for number, each in enumerate(found)
        )

    def _voucher(self, value: object, where: str) -> Voucher:
        if isinstance(value, dict):
            names = ("identity", "issuer", "trusted_root")
            table = self._table(value, where, names)
            identity, issuer, root = (table.get(each, "") for each in names)
            if not all(isinstance(each, str) for each in (identity, issuer, root)):
                raise self._wrong(where, "has what is not a text")
            if not identity or not issuer:
                raise self._wrong(where, "takes both 'identity' and 'issuer'")
            path = self._folder / root if root else None
            return Voucher(identity=identity, issuer=issuer, trusted_root=path)
        if not isinstance(value, str) or not value:
            raise self._wrong(where, "is neither a text nor a table with 'identity' and 'issuer'")
        if value.startswith(ENVIRONMENT):
            raise self._wrong(where, "comes from a variable, which whoever is judged could set")
        if value.startswith((*KMS_SCHEMES, "-----BEGIN ")):
            return Voucher(key=value)
        return Voucher(key=str(self._folder / value))

    def _table(self, value: object, where: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(where, "is not a table")
        for name in value:
            if name not in allowed:
                raise self._wrong(f"{where}.{name}", f"is not one of {', '.join(allowed)}")
        return value

    def _texts(self, fields: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
        return self._each(fields, name, where, str)

    def _each(
        self, fields: Mapping[str, Any], name: str, where: str, read: Callable[[str], Any]
    ) -> tuple[Any, ...]:
        found = fields.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self._wrong(f"{where}.{name}", "is not a list of texts")
        try:
            return tuple(read(each) for each in found)
        except (InvalidDigest, InvalidReference) as cause:
            raise self._wrong(f"{where}.{name}", str(cause)) from cause

    def _flag(self, fields: Mapping[str, Any], name: str, where: str) -> bool:
        found = fields.get(name, False)
        if not isinstance(found, bool):
            raise self._wrong(f"{where}.{name}", f"{found!r} is neither true nor false")
        return found

    def _wrong(self, name: str, reason: str) -> InvalidSetting:
        return InvalidSetting(name, self._origin, reason)


def _repository(text: str) -> str:
    found = Reference.parse(text)
    if found.tag is not None or found.digest is not None:
        raise InvalidReference(text, "text", "has a tag or digest; a repository has none")
    return text
