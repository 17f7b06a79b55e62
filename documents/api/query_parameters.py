"""The query parameters of endpoints as serializers: they validate a request, and drf-spectacular describes them."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from documents.content import editions
from documents.whole_numbers import is_whole_number

MAX_WAIT_SECONDS = 60


class QueryParameters(serializers.Serializer[Any]):
    """The query parameters of one endpoint; unknown ones are ignored."""

    @classmethod
    def parse(cls, request: Request, **context: Any) -> dict[str, Any]:
        """Return the parameters of a request by their names. Raises ValidationError, which names the invalid ones."""
        form = cls(data=request.query_params.dict(), context=context)
        form.is_valid(raise_exception=True)
        return dict(form.validated_data)


class TrueOrFalse(serializers.BooleanField):
    """A boolean; unlike DRF's, it refuses words such as “on” and “yes”."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": "Send true or false."}

    def to_internal_value(self, data: Any) -> Any:
        """Return the boolean. Raises ValidationError for anything but true, false, 1 and 0."""
        if str(data).lower() not in {"true", "false", "1", "0"}:
            self.fail("invalid")
        return super().to_internal_value(data)


class WaitSeconds(serializers.IntegerField):
    """A whole number of seconds in plain digits, up to MAX_WAIT_SECONDS."""

    default_error_messages: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("invalid", "max_value"), f"Send a whole number of seconds from 0 to {MAX_WAIT_SECONDS}."
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_WAIT_SECONDS, **options)

    def to_internal_value(self, data: Any) -> int:
        """Return the number. Raises ValidationError for anything but digits."""
        if not is_whole_number(data):
            self.fail("invalid")
        return super().to_internal_value(data)


class Word(serializers.CharField):
    """A text exactly as it was sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, allow_blank=True, trim_whitespace=False, **options)


@extend_schema_field({"type": "string", "enum": [*editions.VARIANTS]})
class Variant(Word):
    """The variant of an edition."""


@extend_schema_field({"type": "string", "enum": [editions.APPROVED, editions.ALL]})
class Reports(Word):
    """The reports of an edition."""


@extend_schema_field({"type": "string", "enum": ["thumbnail"]})
class Size(serializers.ChoiceField):
    """The size of an image; the whole image if it is left out."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "invalid_choice": "Send thumbnail, or leave it out for the whole image."
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=["thumbnail"], required=False, allow_blank=True, **options)


class TaskParameters(QueryParameters):
    """The parameters of a task: how long to wait for its end."""

    wait = WaitSeconds(
        required=False, help_text="Respond when the task has ended, or after this many seconds."
    )


class ImageParameters(QueryParameters):
    """The parameters of an image's file: its size."""

    size = Size(help_text="The thumbnail, of at most 320 pixels.")


class EditionParameters(QueryParameters):
    """The edition of a document's PDF; the context says by ``is_annual`` whether it is an annual report."""

    variant = Variant(help_text="pdf/a-3a attaches the source; every PDF is PDF/UA-1 and PDF/A-3a.")
    reports = Reports(help_text="The reports that an annual report contains.")
    division = Word(help_text="One division's part of an annual report, by its name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Add the parsed ``edition``. Raises UnknownEdition."""
        words = {name: attrs.get(name, "") for name in ("variant", "reports", "division")}
        return attrs | {"edition": editions.parse(is_annual=self.context["is_annual"], **words)}


class RenderParameters(EditionParameters):
    """The parameters of a request to render a PDF."""

    force = TrueOrFalse(default=False, help_text="Render again although nothing has changed.")


class PdfParameters(EditionParameters):
    """The parameters of a request for a PDF: an edition, or the task that rendered it."""

    task = serializers.UUIDField(
        required=False,
        error_messages={"invalid": "Send the id of a task."},
        help_text="The PDF that this task rendered, instead of the current one.",
    )
