"""``GET /api/schema/``: the OpenAPI schema, which is generated once in a process."""

import threading
from typing import Any

import cachetools
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

CACHE: dict[Any, bytes] = {}


@cachetools.cached(CACHE, condition=threading.Condition())
def render_schema(version: str | None) -> bytes:
    """Return the schema as YAML; ``version`` is one of ``ALLOWED_VERSIONS``, or None.

    Anyone may request it, and generating it takes up to four seconds; requests at the same moment wait for the first.
    """
    schema = SchemaGenerator(api_version=version).get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    text: bytes = OpenApiYamlRenderer().render(schema, renderer_context={})  # type: ignore[no-untyped-call]
    return text


class SchemaView(SpectacularAPIView):
    """The schema, the same for everyone and in one language."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """Send the schema."""
        version = self._get_version_parameter(request)  # type: ignore[no-untyped-call]
        name = (
            f"{spectacular_settings.TITLE} ({version}).yaml"
            if version
            else f"{spectacular_settings.TITLE}.yaml"
        )
        headers = {
            "Content-Type": f"{OpenApiYamlRenderer.media_type}; charset=utf-8",
            "Content-Disposition": f'inline; filename="{name}"',
        }
        return HttpResponse(render_schema(version), headers=headers)
