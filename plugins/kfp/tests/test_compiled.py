"""What is compiled: caching flags, secrets by name, pinned packages, no address that runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import kitline_kfp
import pytest
import yaml
from kfp import compiler, components, dsl
from kitline.errors import InvalidSetting
from kitline_kfp.configuration import Configuration, configure, current
from kitline_kfp.containers import NAMES, container_component, container_task
from kitline_kfp.versions import PACKAGES, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

YAML = Path(__file__).parents[1] / "yaml"
UNCACHED = [name for name in NAMES if name != "pull_modelkit"]
WORDS = "this form cannot carry the flag"


@pytest.fixture(autouse=True)
def plain_configuration() -> "Iterator[None]":
    """Start from the defaults, and leave what conftest.py configured."""
    before = current()
    configure(**dict.fromkeys(Configuration.__dataclass_fields__))
    yield
    configure(base_image=before.base_image, packages=before.packages)


def compiled(component: Any, folder: Path) -> list[Any]:
    path = folder / "compiled.yaml"
    compiler.Compiler().compile(component, str(path))
    components.load_component_from_file(str(path))  # reads as it was written
    return list(yaml.safe_load_all(path.read_text()))


def pipeline_of(*tasks: Any) -> Any:
    """Return a pipeline with one task of each function, inputs as they come."""

    @dsl.pipeline(name="all")
    def pipeline(text: str) -> None:
        for task in tasks:
            needed = {"modelkit", "to", "source", "tag", "stage"}
            names = set(task.__signature__.parameters) & needed
            task(**dict.fromkeys(sorted(names), text))

    return pipeline


EVERY = [getattr(kitline_kfp, name) for name in NAMES]


@pytest.mark.parametrize("tasks", [EVERY, [container_task(name) for name in NAMES]])
def test_only_pull_may_be_cached(tasks: Any, tmp_path: Path) -> None:
    [spec] = compiled(pipeline_of(*tasks), tmp_path)

    cached = {
        name: task["cachingOptions"].get("enableCache", False)
        for name, task in spec["root"]["dag"]["tasks"].items()
    }
    assert cached == {name.replace("_", "-"): name == "pull_modelkit" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_packages_are_pinned_to_one_version(name: str, tmp_path: Path) -> None:
    [spec] = compiled(getattr(kitline_kfp, f"{name}_component")(), tmp_path)

    command = " ".join(container(spec)["command"])
    for package in PACKAGES:
        assert f"'{package}'" in command
    installed = [each for each in command.replace("'", " ").split() if each.startswith("kitline")]
    assert [each for each in installed if "==" in each and not each.endswith(f"=={VERSION}")] == []
    assert f"kfp=={__import__('kfp').__version__}" in command


def test_components_of_other_tools_bring_their_plugins(tmp_path: Path) -> None:
    for tool in ("mlflow", "dvc"):
        [spec] = compiled(getattr(kitline_kfp, f"{tool}_to_modelkit_component")(), tmp_path)
        assert f"'kitline-{tool}=={VERSION}'" in " ".join(container(spec)["command"])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_installed_when_nothing_is_asked_for(name: str, tmp_path: Path) -> None:
    component = getattr(kitline_kfp, f"{name}_component")(
        base_image="registry.example/python-kitline:1", packages_to_install=()
    )

    [spec] = compiled(component, tmp_path)

    assert "pip" not in " ".join(container(spec)["command"])
    assert container(spec)["image"] == "registry.example/python-kitline:1"


@pytest.mark.parametrize(
    ("registry", "extra"),
    [
        ("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team", "aws"),
        ("europe-docker.pkg.dev/project/team", "gcp"),
        ("team.azurecr.io", "azure"),
    ],
)
def test_a_plain_image_gets_what_workload_identity_needs(
    registry: str, extra: str, tmp_path: Path
) -> None:
    configure(registry=registry)

    [spec] = compiled(pipeline_of(kitline_kfp.push_modelkit), tmp_path)

    assert f"'kitline[{extra}]=={VERSION}'" in " ".join(container(spec)["command"])


def test_no_address_of_a_pipeline_is_an_image_that_runs(tmp_path: Path) -> None:
    [spec] = compiled(pipeline_of(*EVERY), tmp_path)

    text = yaml.safe_dump(spec)
    assert "oci://" not in text
    assert "modelkit://" not in text
    assert "importer" not in text


@pytest.mark.parametrize("tasks_of", [kitline_kfp.__getattr__, container_task])
def test_a_cluster_is_told_once_and_secrets_by_name_only(tasks_of: Any, tmp_path: Path) -> None:
    form = ("push_modelkit", "pull_modelkit")
    configure(
        registry="registry.example/team",
        docker_config_secret="registry-login",
        ca_config_map="company-ca",
        policy_config_map="kit-policy",
        git_commit="a" * 40,
        index_urls="https://packages.example/simple",
    )

    spec, platform = compiled(pipeline_of(*(tasks_of(name) for name in form)), tmp_path)

    executors = spec["deploymentSpec"]["executors"]
    variables = {
        name: {each["name"]: each["value"] for each in one["container"]["env"]}
        for name, one in executors.items()
    }
    assert variables["exec-push-modelkit"] == {
        "KITLINE_REGISTRY": "registry.example/team",
        "KITLINE_GIT_COMMIT": "a" * 40,
        "DOCKER_CONFIG": "/kitline/docker",
        "KITLINE_CA_FILE": "/kitline/ca/ca.crt",
        "KITLINE_POLICY": "/kitline/policy/policy.toml",
    }
    # a new commit would make the cached task run again
    assert "KITLINE_GIT_COMMIT" not in variables["exec-pull-modelkit"]
    mounted = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    [secret] = mounted["exec-push-modelkit"]["secretAsVolume"]
    assert (secret["secretName"], secret["mountPath"]) == ("registry-login", "/kitline/docker")
    maps = {each["configMapName"] for each in mounted["exec-pull-modelkit"]["configMapAsVolume"]}
    assert maps == {"company-ca", "kit-policy"}
    installs = tasks_of is not container_task
    assert ("https://packages.example/simple" in yaml.safe_dump(spec)) is installs


def test_the_environment_configures_too_and_code_has_the_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KITLINE_KFP_BASE_IMAGE", "registry.example/python:3.12")
    monkeypatch.setenv("KITLINE_KFP_PACKAGES", "")
    monkeypatch.setenv("KITLINE_KFP_REGISTRY", "registry.example/team")

    assert current().base_image == "registry.example/python:3.12"
    assert current().packages == ()
    assert configure(registry="other.example").registry == "other.example"
    assert configure(registry=None).registry == "registry.example/team"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index_urls": "https://me:secret@packages.example/simple"}, "holds a password"),
        ({"index_urls": "https://packages.example/simple?token=secret@1"}, "holds a password"),
        ({"registry": "team"}, "names no registry"),
        ({"registry": "me:secret@registry.example/team"}, "holds an '@'"),
        ({"registry": "https://registry.example/team"}, "is not 'host"),
        ({"image": "x"}, "is none of base_image"),
        ({"ca_secret": "a", "ca_config_map": "b"}, "both set"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_said(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words) as caught:
        configure(**changes)

    assert "secret@" not in str(caught.value)
    assert current() == Configuration()


@pytest.mark.parametrize("name", NAMES)
def test_both_forms_have_the_same_inputs_and_outputs(name: str, tmp_path: Path) -> None:
    [python] = compiled(getattr(kitline_kfp, f"{name}_component")(), tmp_path)
    [inside] = compiled(container_component(name), tmp_path)

    assert interface(inside) == interface(python)
    assert container(inside)["command"][:2] == ["kitline", "kfp"]
    assert "{{$}}" in container(inside)["args"]
    assert "{{$.outputs.output_file}}" in container(inside)["args"]


def test_the_compiled_components_are_up_to_date(tmp_path: Path) -> None:
    import runpy

    runpy.run_path(str(YAML / "generate.py"))["generate"](tmp_path)

    made = {each.relative_to(tmp_path): each.read_text() for each in tmp_path.rglob("*.yaml")}
    kept = {each.relative_to(YAML): each.read_text() for each in YAML.rglob("*.yaml")}
    assert made.keys() == kept.keys()
    stale = [str(name) for name, text in made.items() if text != kept[name]]
    assert stale == [], "python plugins/kfp/yaml/generate.py writes them again"


@pytest.mark.parametrize("form", ["python", "container"])
@pytest.mark.parametrize("name", UNCACHED)
def test_descriptions_say_that_this_form_cannot_switch_the_cache_off(form: str, name: str) -> None:
    text = (YAML / form / f"{name}.yaml").read_text()

    assert WORDS in " ".join(text.replace("#", " ").split())
    components.load_component_from_text(text)


def test_the_description_of_pull_says_why_it_may_be_cached() -> None:
    text = " ".join((YAML / "python/pull_modelkit.yaml").read_text().replace("#", " ").split())

    assert "KFP may cache this task" in text
    assert WORDS not in text


def test_the_version_in_pins_is_that_of_the_distributions() -> None:
    import tomllib
    from importlib.metadata import version

    project = tomllib.loads((YAML.parent / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
    assert version("kitline") == VERSION


def test_tasks_show_the_inputs_that_they_take() -> None:
    import inspect

    shown = inspect.signature(kitline_kfp.push_modelkit).parameters
    assert {"to", "model", "dataset", "parents"} <= set(shown)
    assert "kit" not in shown  # an output
    assert kitline_kfp.push_modelkit.__doc__.startswith("Push artifacts")


@pytest.mark.parametrize(
    ("args", "inputs", "words"),
    [
        (("a:v1",), {"to": "b:v1"}, "multiple values for argument 'to'"),
        (("a:v1",), {"modle": "x"}, "unexpected keyword argument 'modle'"),
        (("x",) * 30, {}, "too many positional arguments"),
        ((), {"name": "x"}, "missing 1 required argument: to"),
    ],
)
def test_what_a_task_does_not_take_is_refused(args: Any, inputs: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        kitline_kfp.push_modelkit(*args, **inputs)


def container(spec: Any) -> Any:
    [executor] = spec["deploymentSpec"]["executors"].values()
    return executor["container"]


def interface(spec: Any) -> Any:
    [component] = spec["components"].values()
    return component["inputDefinitions"], component["outputDefinitions"]
