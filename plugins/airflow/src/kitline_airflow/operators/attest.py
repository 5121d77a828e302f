"""Attest: a task says something about a kit; the kit itself does not change."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kitline.errors import UsageError

from kitline_airflow.operators.kit_input import KitInputOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitline_airflow.errand import Errand


class ModelKitAttestOperator(KitInputOperator):
    """Attaches a statement, signed if a key is given; saying the same again writes nothing.

    Args:
        type: What is said: a URI, or a short name such as `evaluation`.
        predicate: What is said: a JSON object.
        predicate_file: Instead: a file with it.
        key: The private key that signs: a file or a KMS address, no secret.
    """

    template_fields: Sequence[str] = (
        *KitInputOperator.shared_fields,
        "type",
        "predicate",
        "predicate_file",
        "key",
    )
    more_xcoms: ClassVar[tuple[str, ...]] = ("referrer", "predicateType", "written")

    def __init__(
        self,
        *,
        type: str,
        predicate: Mapping[str, Any] | None = None,
        predicate_file: str | None = None,
        key: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.type = type
        self.predicate = predicate
        self.predicate_file = predicate_file
        self.key = key

    def call(self, errand: Errand) -> Any:
        import kitline

        said, kit = self._said(), self.kit(errand)
        if self.key:
            return kitline.attest_signed(
                kit, self.type, said, key=self.key, settings=errand.settings
            )
        return kitline.attest_unsigned(kit, self.type, said, settings=errand.settings)

    def words(self, errand: Errand) -> list[str]:
        return [
            "attest",
            self.kit(errand),
            "--type",
            self.type,
            "--predicate",
            str(self._written),
            *(["--key", self.key] if self.key else []),
        ]

    def do(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Attest; another interpreter reads the predicate from a file that is removed again."""
        if self.python is None or self.predicate_file:
            self._written = self.predicate_file
            return super().do(context)
        with tempfile.TemporaryDirectory(prefix="kitline-predicate-") as folder:
            self._written = str(Path(folder, "predicate.json"))
            Path(self._written).write_text(json.dumps(self._said()))
            return super().do(context)

    def _said(self) -> dict[str, Any]:
        if (self.predicate is None) == (not self.predicate_file):
            raise UsageError("give either 'predicate' or 'predicate_file'")
        if self.predicate is not None:
            return dict(self.predicate)
        path = Path(str(self.predicate_file))
        try:
            found = json.loads(path.read_bytes())
        except OSError as cause:
            raise UsageError(f"cannot read predicate {str(path)!r}: {cause.strerror}") from cause
        except ValueError as cause:
            raise UsageError(f"cannot read predicate {str(path)!r}: {cause}") from cause
        if not isinstance(found, dict):
            raise UsageError(f"predicate {str(path)!r} is not a JSON object")
        return found
