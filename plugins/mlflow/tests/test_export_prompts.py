"""Prompts of a kit: prompt versions at a server, and MLflow's prompt objects by digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import kitline
import pytest
from kitline.errors import NotFound, SourceError
from kitline.testing.trees import write_tree
from kitline_mlflow.prompts import load_prompt

if TYPE_CHECKING:
    from kitline.operations.export import Exported
    from kitline.testing import LocalRegistry
    from mlflow import MlflowClient

    from conftest import Tracked

KITFILE = """\
manifestVersion: 1.0.0
package: {name: prompts}
prompts:
  - {name: greeting, path: prompts/greeting.md}
  - {path: prompts/qa}
"""
CHAT = [{"role": "system", "content": "Kurz & präzise 🌱"}, {"role": "user", "content": "{{q}}"}]
FILES = {
    "Kitfile": KITFILE,
    "prompts/greeting.md": "Hello {{name}}, {{name}}!\n",
    "prompts/qa/1.json": json.dumps({"name": "qa", "version": 1, "template": "Q: {{q}}"}),
    "prompts/qa/2.json": json.dumps(
        {"name": "qa", "version": 2, "template": CHAT, "tags": {"team": "β"}}
    ),
}


def open_client(uri: str) -> MlflowClient:
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def export(reference: str, uri: str, *, as_: str = "source", **options: str) -> Exported:
    return kitline.export(reference, "mlflow", options={"tracking_uri": uri, "as": as_, **options})


@pytest.fixture
def prompts() -> str:
    return str(kitline.pack(write_tree(Path("packed"), FILES), "prompts:v1").reference)


def test_prompts_become_prompt_versions_with_an_alias(tracked: Tracked, prompts: str) -> None:
    result = export(prompts, tracked.uri, alias="champion")
    client = open_client(tracked.uri)
    assert result.target == "prompts:/greeting/1, prompts:/qa/1, prompts:/qa/2"
    assert client.get_prompt_version_by_alias("qa", "champion").template == CHAT
    assert client.get_prompt_version("qa", 1).template == "Q: {{q}}"
    assert client.get_prompt_version("qa", 2).tags["team"] == "β"
    greeting = client.get_prompt_version_by_alias("greeting", "champion")
    assert greeting.format(name="Ada") == "Hello Ada, Ada!\n"
    assert greeting.tags["kitline.digest"] == prompts.rpartition("@")[2]


def test_prompts_are_registered_once(tracked: Tracked, prompts: str) -> None:
    first = export(prompts, tracked.uri, alias="champion")
    again = export(prompts, tracked.uri, alias="champion")
    assert (first.existed, again.existed) == (False, True)
    assert again.target == first.target
    with pytest.raises(Exception, match="version=3"):
        open_client(tracked.uri).get_prompt_version("qa", 3)


def test_prompts_can_be_left_out(tracked: Tracked, prompts: str) -> None:
    result = export(prompts, tracked.uri, prompts="false", register="texts")
    assert result.target == "models:/texts/1"
    assert open_client(tracked.uri).search_prompts() == []


def test_a_prompt_is_loaded_by_digest_without_a_server(
    prompts: str, registry: LocalRegistry
) -> None:
    from mlflow.entities.model_registry import PromptVersion

    pushed = kitline.push(prompts, f"{registry.host}/team/prompts:v1")
    for address in (f"modelkit://{pushed.reference}", f"modelkit:///{prompts}", prompts):
        prompt = load_prompt(address, "qa")
        assert isinstance(prompt, PromptVersion)
        assert (prompt.name, prompt.version, prompt.template) == ("qa", 2, CHAT)
        assert prompt.variables == {"q"}
        assert prompt.tags["kitline.digest"] == prompts.rpartition("@")[2]
    assert load_prompt(prompts, "qa", version=1).format(q="why?") == "Q: why?"
    assert load_prompt(prompts, "greeting").format(name="Ada") == "Hello Ada, Ada!\n"
    assert not Path("mlflow.db").exists()


def test_a_prompt_that_is_not_there_is_named_with_those_that_are(prompts: str) -> None:
    with pytest.raises(NotFound, match=r"no prompt 'q'; it has greeting \(version 1\), qa"):
        load_prompt(prompts, "q")


def test_a_prompt_that_is_no_text_is_refused(tracked: Tracked) -> None:
    files = {**FILES, "prompts/qa/1.json": b"\xff\xfe"}
    kit = kitline.pack(write_tree(Path("bad"), files), "bad:v1")
    with pytest.raises(SourceError, match=r"prompts\[1\]: 'prompts/qa/1.json' is no text"):
        export(str(kit.reference), tracked.uri)


def test_a_name_that_mlflow_does_not_take_is_refused_before_anything_is_made(
    tracked: Tracked,
) -> None:
    kitfile = KITFILE.replace("greeting,", "'Grüße',")
    kit = kitline.pack(write_tree(Path("bad"), {**FILES, "Kitfile": kitfile}), "bad:v1")
    with pytest.raises(SourceError, match="MLflow takes no prompt named 'Grüße'"):
        export(str(kit.reference), tracked.uri)
    assert open_client(tracked.uri).search_prompts() == []
