"""The receipt is a promise to other programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kitline.errors import MalformedContent
from kitline.oci.digest import Digest
from kitline.plugin import Parent, Receipt, ReceiptLayer

DIGEST = Digest.of(b"kit")
RECEIPT = Receipt(
    digest=DIGEST,
    reference=f"reg.example/team/iris@{DIGEST}",
    repository="reg.example/team/iris",
    tag="v1",
    created="2026-01-02T03:04:05Z",
    source="mlflow://runs/1",
    parents=(Parent(digest=Digest.of(b"data"), role="data", reference="reg.example/data"),),
    layers=(ReceiptLayer(path="model", type="model", digest=Digest.of(b"layer"), size=5),),
)


def test_a_receipt_survives_json() -> None:
    assert Receipt.from_json(json.loads(json.dumps(RECEIPT.to_json()))) == RECEIPT


def test_a_receipt_has_the_promised_keys() -> None:
    written = RECEIPT.to_json()
    assert list(written) == [
        "digest",
        "reference",
        "repository",
        "tag",
        "created",
        "source",
        "parents",
        "layers",
    ]
    assert list(written["parents"][0]) == ["digest", "reference", "role"]
    assert list(written["layers"][0]) == ["path", "type", "digest", "size"]


def test_keys_of_later_versions_are_passed_over() -> None:
    assert Receipt.from_json({**RECEIPT.to_json(), "later": 1}) == RECEIPT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digest": "sha256:1"}, "receipt: digest: sha256 takes 64 lower-case hex digits"),
        ({"reference": None}, "receipt: reference is missing"),
        ({"tag": 1}, "receipt: tag is not a text"),
        ({"parents": {"a": 1}}, "receipt: parents is not a list"),
        ({"layers": [1]}, "layers[0] is not an object"),
        (
            {"layers": [{**RECEIPT.to_json()["layers"][0], "size": -1}]},
            "receipt: layers[0].size: -1 is not a count of bytes",
        ),
    ],
)
def test_a_malformed_receipt_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(MalformedContent) as caught:
        Receipt.from_json({**RECEIPT.to_json(), **change})
    assert message in str(caught.value)
