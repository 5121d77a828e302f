"""The parts that operators are made of: connections, assets, keys, events, parents, lineage."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import kitline
import pytest
from contexts import FakeTask, airflow_3, make_context
from kitline.errors import InvalidSetting, MalformedContent, UsageError
from kitline_airflow import (
    KitEvent,
    ModelKitHook,
    ModelKitNotifier,
    ModelKitPushOperator,
    PartitionKey,
    kit_events,
    modelkit_asset,
    partition_kit,
    relay_partitions,
    watch_stage,
    watch_tag,
)
from kitline_airflow.connection import RegistryAccess
from kitline_airflow.delivery import RECEIPT_LIMIT, short_receipt
from kitline_airflow.inputs import read_name, read_reference
from kitline_airflow.links import ModelKitLink, kit_address
from kitline_airflow.openlineage import convert_asset
from kitline_airflow.parents import read_parents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kitline.testing import LocalRegistry

DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
PINNED = f"registry.example/team/iris@{DIGEST}"


def connection(**fields: Any) -> Any:
    given = {"host": None, "port": None, "login": None, "password": None, "extra_dejson": {}}
    return SimpleNamespace(conn_id="reg", **{**given, **fields})


@pytest.mark.parametrize("plain", [True, "true", "True", "1", "yes"])
def test_a_connections_flags_are_read_from_json_and_from_uris(plain: object) -> None:
    access = RegistryAccess.of(
        connection(host="registry.example", port=5000, extra_dejson={"plain_http": plain})
    )

    assert access.registry == "registry.example:5000"
    assert access.plain_http
    assert access.locate("team/iris:v1") == "registry.example:5000/team/iris:v1"
    assert access.locate("other.example/team/iris:v1") == "other.example/team/iris:v1"
    assert access.locate("oci:folder:v1") == "oci:folder:v1"


def test_a_connections_host_may_have_a_path_that_names_go_below() -> None:
    access = RegistryAccess.of(connection(host="https://registry.example/team/"))

    assert access.registry == "registry.example"
    assert access.locate("iris:v1") == "registry.example/team/iris:v1"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"host": "r.example", "login": "ann"}, "setting 'password' from connection 'reg'"),
        ({"login": "ann", "password": "s3cret"}, "setting 'host' from connection 'reg'"),
        ({"host": "ftp://r.example"}, "scheme 'ftp'"),
        ({"host": "r.example", "extra_dejson": {"plain_http": "perhaps"}}, "extra.plain_http"),
    ],
)
def test_a_connection_that_is_wrong_says_which_field(fields: Any, message: str) -> None:
    with pytest.raises(InvalidSetting, match=message) as caught:
        RegistryAccess.of(connection(**fields))

    assert "s3cret" not in str(caught.value)


def test_a_secret_is_shown_neither_by_access_nor_by_settings() -> None:
    access = RegistryAccess.of(connection(host="r.example", login="ann", password="s3cret"))

    assert "s3cret" not in repr(access)
    assert "s3cret" not in repr(access.settings(kitline.Settings.load()))


def test_a_connection_that_is_named_has_to_be_there_the_default_one_has_not() -> None:
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    assert ModelKitHook().access == RegistryAccess()
    with pytest.raises(AirflowNotFoundException):
        _ = ModelKitHook("not_there").access


def test_test_connection_tells_what_works_and_what_does_not(
    connected: LocalRegistry, connect: Callable[..., None]
) -> None:
    assert ModelKitHook().test_connection() == (
        True,
        f"{connected.host} answers and accepts anonymous users",
    )
    connect("127.0.0.1:1")

    works, said = ModelKitHook().test_connection()

    assert not works
    assert "nothing listens" in said


def test_the_asset_of_a_repository_has_one_spelling() -> None:
    uri = "modelkit://registry.example:5000/team/iris"

    assert modelkit_asset("Registry.Example:5000/team/iris:v1").uri == uri
    assert modelkit_asset(f"oci://ann:s3cret@registry.example:5000/team/iris@{DIGEST}").uri == uri
    assert modelkit_asset("registry.example:5000/team/iris", stage="p").uri == f"{uri}?stage=p"
    with pytest.raises(ValueError, match="names no repository"):
        modelkit_asset("iris")


@airflow_3
def test_watched_assets_have_a_trigger_each_and_uris_of_their_own() -> None:
    tag = watch_tag("registry.example/team/iris:v1", interval=30)
    stage = watch_stage("registry.example/team/iris", "production")

    assert tag.uri == "modelkit://registry.example/team/iris?tag=v1"
    assert stage.uri == "modelkit://registry.example/team/iris?stage=production"
    assert tag.watchers[0].trigger.interval == 30
    assert stage.watchers[0].trigger.asset == stage.name
    with pytest.raises(ValueError, match="names no tag"):
        watch_tag("registry.example/team/iris")


@pytest.mark.parametrize("text", [DIGEST, f"production:3:{DIGEST}"])
def test_partition_keys_survive_reading(text: str) -> None:
    assert str(PartitionKey.parse(text)) == text


@pytest.mark.parametrize("text", ["", "x", "production:3", "production:x:" + DIGEST, "sha256:12"])
def test_other_partition_keys_are_refused(text: str) -> None:
    with pytest.raises(MalformedContent):
        PartitionKey.parse(text)


def event(extra: Any, second: int = 0) -> Any:
    return SimpleNamespace(extra=extra, timestamp=datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC))


def triggered(*events: Any) -> dict[str, Any]:
    context = make_context()
    context["triggering_asset_events"] = {modelkit_asset("registry.example/team/iris").uri: events}
    return context


def told(digest: str, **more: Any) -> dict[str, Any]:
    return {"digest": digest, "reference": f"registry.example/team/iris@{digest}", **more}


def test_several_events_of_one_run_are_all_there_oldest_first_and_each_once() -> None:
    promoted = told(OTHER, stage="p", seq=2, record="sha256:" + "3" * 64)
    context = triggered(
        event({"from_trigger": True, "payload": promoted}, 5),
        event({"from_trigger": True, "payload": promoted}, 9),  # told again after a restart
        event(told(DIGEST), 1),
        event({"foreign": True}, 2),
        event({"digest": DIGEST, "reference": f"registry.example/x@{OTHER}"}, 3),
    )

    found = kit_events(context)

    assert [each.digest for each in found] == [DIGEST, OTHER]
    assert str(found[1].partition_key) == f"p:2:{OTHER}"


def test_the_kit_of_a_partitioned_run_is_that_of_its_key() -> None:
    context = triggered(event(told(DIGEST)), event(told(OTHER), 1))
    context["dag_run"].partition_key = f"production:4:{OTHER}"

    assert partition_kit(context) == KitEvent(
        digest=OTHER,
        reference=f"registry.example/team/iris@{OTHER}",
        stage="production",
        seq=4,
    )
    context["dag_run"].partition_key = None
    with pytest.raises(ValueError, match="no partition key"):
        partition_kit(context)


@airflow_3
def test_events_of_a_watcher_become_one_partition_each() -> None:
    outlet = modelkit_asset("registry.example/team/iris", stage="by-digest")
    context = triggered(event({"payload": told(DIGEST)}), event({"payload": told(OTHER)}, 1))

    relay_partitions(context, outlet)

    assert context["outlet_events"][outlet].keys == [DIGEST, OTHER]


def test_inlets_stand_for_the_kits_that_started_the_run() -> None:
    inlet = modelkit_asset("registry.example/team/iris", role="base")

    found = read_parents([f"code={PINNED}"], triggered(event(told(OTHER))), [inlet], str)

    assert found == [f"code={PINNED}", f"base=registry.example/team/iris@{OTHER}"]


def test_an_inlet_without_events_in_this_run_stands_for_its_newest_kit_before_it() -> None:
    inlet = modelkit_asset("registry.example/team/iris")
    context = make_context()
    context["dag_run"].run_after = datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)
    context["inlet_events"] = _ByUri(
        {inlet.uri: [event(told(DIGEST), 4), event(told(OTHER), 6), event(told(OTHER), 1)]}
    )

    assert read_parents([], context, [inlet], str) == [f"data={PINNED}"]


class _ByUri(dict[str, Any]):
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key.uri)


def test_references_are_read_from_texts_objects_and_pairs() -> None:
    assert read_reference(PINNED) == PINNED
    assert read_reference({"reference": PINNED, "digest": DIGEST}) == PINNED
    assert read_reference(None, "registry.example/team/iris", DIGEST) == PINNED
    assert read_name(None, "team/iris", "v1") == "team/iris:v1"
    with pytest.raises(UsageError, match="either"):
        read_reference(PINNED, "team/iris")
    with pytest.raises(UsageError, match="'digest' is empty"):
        read_reference(None, "team/iris")


def test_a_large_receipt_leaves_its_layers_out_of_xcom() -> None:
    layers = [{"path": "part", "type": "datasets", "digest": DIGEST, "size": 1}] * 1000
    done = {"reference": PINNED, "digest": DIGEST, "receipt": {"digest": DIGEST, "layers": layers}}

    found = short_receipt(done)

    assert found["layersLeftOut"] == 1000
    assert len(str(found)) < RECEIPT_LIMIT


def test_the_link_opens_the_kit_and_has_a_key_of_its_own() -> None:
    assert kit_address(PINNED) == f"https://registry.example/v2/team/iris/manifests/{DIGEST}"
    assert kit_address(f"ghcr.io/team/iris@{DIGEST}") == (
        "https://github.com/team/iris/pkgs/container/iris"
    )
    assert kit_address(None) == kit_address(f"iris@{DIGEST}") == ""
    assert ModelKitLink().xcom_key not in ("return_value", "digest", "receipt", "reference")


def test_openlineage_has_the_digest_as_version_and_the_parents_as_inputs(
    connected: LocalRegistry, model: Path
) -> None:
    parent = kitline.pack(model, f"{connected.host}/team/data:v1")
    operator = ModelKitPushOperator(
        task_id="push", folder=str(model), to="team/iris:v1", parents=[str(parent)]
    )
    operator.execute(make_context())

    lineage = operator.get_openlineage_facets_on_complete(FakeTask())

    (made,), (given,) = lineage.outputs, lineage.inputs
    assert (made.namespace, made.name) == (f"oci://{connected.host}", "team/iris")
    assert made.facets["version"].datasetVersion == str(
        kitline.resolve(f"{connected.host}/team/iris:v1").digest
    )
    assert given.facets["version"].datasetVersion == str(parent.digest)
    asset = convert_asset(modelkit_asset(f"{connected.host}/team/iris"), None)
    assert (asset.namespace, asset.name) == (made.namespace, made.name)


def test_the_notifier_tells_a_kit_how_a_run_ended_once(
    connected: LocalRegistry, model: Path
) -> None:
    kit = kitline.pack(model, f"{connected.host}/team/iris:v1")
    notifier = ModelKitNotifier(reference=str(kit), said={"deployed_to": "eu-1"}, state="success")

    notifier.notify(make_context())
    notifier.notify(make_context())

    said = [
        dict(each.predicate or {})
        for each in kitline.inspect(kit.reference).statements
        if each.predicate_type == "https://kitline.io/airflow-run/v1"
    ]
    assert said == [
        {
            "system": "airflow",
            "run": {"dag": "train", "run": "manual__1", "task": "push", "try": 1},
            "state": "success",
            "deployed_to": "eu-1",
        }
    ]
