"""ModelKitHook: an Airflow connection, and kitline's verbs with what it says."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowNotFoundException, BaseHook

from kitline_airflow.connection import DEFAULT, RegistryAccess

if TYPE_CHECKING:
    import kitline


class ModelKitHook(BaseHook):
    """Where a registry is and who asks; pass `hook.settings()` to any function of kitline.

        hook = ModelKitHook("modelkit_default")
        kitline.pack("model", hook.locate("team/iris:v1"), settings=hook.settings())

    Without a connection of the default name, credentials come from where `docker login` or
    `kitline login` put them; a connection that is named has to be there.
    """

    conn_name_attr = "modelkit_conn_id"
    default_conn_name = DEFAULT
    conn_type = "modelkit"
    hook_name = "ModelKit registry"

    def __init__(self, modelkit_conn_id: str | None = DEFAULT, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.modelkit_conn_id = modelkit_conn_id

    @cached_property
    def access(self) -> RegistryAccess:
        """What the connection says.

        Raises:
            InvalidSetting: naming the connection and the field that is wrong.
        """
        if self.modelkit_conn_id is None:
            return RegistryAccess()
        try:
            connection = self.get_connection(self.modelkit_conn_id)
        except AirflowNotFoundException:
            if self.modelkit_conn_id != DEFAULT:
                raise
            return RegistryAccess()
        return read_access(connection)

    def get_conn(self) -> kitline.Settings:
        """Return the settings; a hook of Airflow has to answer to this name."""
        return self.settings()

    def settings(self) -> kitline.Settings:
        """Return kitline's settings with what the connection says."""
        import kitline

        return self.access.settings(kitline.Settings.load())

    def locate(self, text: str) -> str:
        """Return a reference with the connection's registry, where it names none itself."""
        return self.access.locate(text)

    def resolve(self, text: str) -> str | None:
        """Return the pinned reference of what a name points at now, None if nothing is there."""
        import kitline

        found = kitline.resolve(self.locate(text), settings=self.settings())
        return None if found is None else str(found)

    def test_connection(self) -> tuple[bool, str]:
        """Tell whether the registry is there and accepts the credentials."""
        import kitline
        from kitline.errors import KitlineError

        try:
            registry = self.access.registry
            if registry is None:
                return False, "the connection names no registry: fill in 'Registry'"
            kitline.check_login(registry, settings=self.settings())
        except KitlineError as cause:
            return False, str(cause)
        return True, f"{registry} answers and accepts {self.access.username or 'anonymous users'}"

    @staticmethod
    def get_ui_field_behaviour() -> dict[str, Any]:
        """Return how Airflow 2 shows the form; later ones read the provider info."""
        from kitline_airflow.get_provider_info import get_provider_info

        return dict(get_provider_info()["connection-types"][0]["ui-field-behaviour"])

    @staticmethod
    def get_connection_form_widgets() -> dict[str, Any]:
        """Return the fields of Airflow 2's form; later ones read the provider info."""
        # only Airflow 2 has these and asks for them
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # type: ignore[import-not-found]
        from wtforms import BooleanField, StringField  # type: ignore[import-untyped]

        return {
            "plain_http": BooleanField("Plain HTTP", default=False),
            "insecure": BooleanField("Insecure", default=False),
            "ca_file": StringField("CA file", widget=BS3TextFieldWidget()),
        }


def read_access(connection: Any) -> RegistryAccess:
    """Read a connection, and have its secret masked in logs whatever backend it came from."""
    from airflow.providers.common.compat.sdk import mask_secret

    access = RegistryAccess.of(connection)
    if access.password:
        mask_secret(access.password)
    return access
