"""What addresses lose before they are shown or written down."""

from __future__ import annotations

import pytest
from kitline.plugin import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pa@ss@host/x", "https://host/x"),
        ("dvc+https://h/r?path=a&token=SECRET&rev=v1", "dvc+https://h/r?path=a&token=…&rev=v1"),
        ("s3://b/k?X-Amz-Signature=ab12&X-Amz-Date=1", "s3://b/k?X-Amz-Signature=…&X-Amz-Date=1"),
        ("postgresql://h/db?PASSWORD=x;sslmode=on", "postgresql://h/db?PASSWORD=…;sslmode=on"),
        ("see 'https://h/?sig=a%2Fb' there", "see 'https://h/?sig=…' there"),
        ("https://h/?path=token&keys=3", "https://h/?path=token&keys=3"),
    ],
)
def test_secrets_of_an_address_are_not_shown(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
    assert without_passwords(shown) == shown
