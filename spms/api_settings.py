"""The settings of the REST framework and of the OpenAPI schema."""

from typing import Any

SPECTACULAR = {
    "TITLE": "SPMS",
    "DESCRIPTION": "Documents of a research agency's projects, and their PDFs.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "DocumentKindEnum": "documents.models.document_types.choices",
        "DocumentStatusEnum": "documents.models.documents.Document.Status",
    },
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "spms.schema.complete"],
}


def rest_framework(throttle_rate: str | None, expensive_throttle_rate: str | None) -> dict[str, Any]:
    """Return ``REST_FRAMEWORK``; the rates are such as ``3000/m``, or None for no limit."""
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework.authentication.TokenAuthentication",
            "rest_framework.authentication.SessionAuthentication",
        ],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["documents.api.parsers.BoundedJsonParser"],
        "DEFAULT_METADATA_CLASS": "documents.api.metadata.ObjectMetadata",
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": "documents.api.negotiation.JsonOnlyNegotiation",
        "DEFAULT_FILTER_BACKENDS": ["documents.api.filters.StrictFilterBackend"],
        "DEFAULT_PAGINATION_CLASS": "documents.api.pagination.StandardPagination",
        "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
        "DEFAULT_THROTTLE_CLASSES": [
            "documents.api.throttling.UserWindowThrottle",
            "documents.api.throttling.ExpensiveThrottle",
        ],
        "DEFAULT_THROTTLE_RATES": {"person": throttle_rate, "expensive": expensive_throttle_rate},
        "EXCEPTION_HANDLER": "spms.problems.exception_handler",
        "TEST_REQUEST_DEFAULT_FORMAT": "json",
        # The allowed ?version= of the schema, which becomes a part of the file name.
        "ALLOWED_VERSIONS": ("1",),
    }
