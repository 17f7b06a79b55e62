"""The JSON of cycles and their letters."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from documents.api.serializers_notices import SubscriptionRequestSerializer
from documents.api.strict import StrictSerializer
from documents.models import Cycle, Letter
from documents.models.projects import YEAR_VALIDATORS
from documents.tasks.cycles import letter_template


class LetterTextSerializer(StrictSerializer):
    """Subject and plain text of the letter, with placeholders."""

    subject = serializers.CharField(max_length=200, default=letter_template.SUBJECT)
    text = serializers.CharField(
        max_length=letter_template.MAX_TEXT_CHARACTERS, default=letter_template.TEXT, trim_whitespace=False
    )

    def validate_subject(self, value: str) -> str:
        """Refuse unknown placeholders, and line breaks that would begin another header."""
        if reason := letter_template.find_problem(value, is_subject=True):
            raise serializers.ValidationError(reason)
        return value

    def validate_text(self, value: str) -> str:
        """Refuse unknown placeholders."""
        if reason := letter_template.find_problem(value):
            raise serializers.ValidationError(reason)
        return value


class CycleRequestSerializer(SubscriptionRequestSerializer):
    """A cycle to open; with ``dry_run`` nothing is created, and the response says what would be."""

    year = serializers.IntegerField(validators=YEAR_VALIDATORS)
    due = serializers.DateField()
    letter = LetterTextSerializer(required=False)
    dry_run = serializers.BooleanField(default=False)

    def cycle(self) -> Cycle:
        """Return the requested cycle, which is not stored yet."""
        values = self.validated_data
        letter = values.get("letter") or {"subject": letter_template.SUBJECT, "text": letter_template.TEXT}
        return Cycle(year=values["year"], due=values["due"], opened_by=self.context["request"].user, **letter)


class LetterPreviewSerializer(serializers.Serializer[Any]):
    """A letter as a person receives it."""

    subject = serializers.CharField()
    text = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """The reports and letters that opening a cycle would create."""

    reports = serializers.IntegerField()
    letters = serializers.IntegerField()
    without_address = serializers.IntegerField()
    seconds = serializers.FloatField(help_text="how long sending takes at the maximum rate")
    example = LetterPreviewSerializer(allow_null=True)


class LetterCountsSerializer(serializers.Serializer[Any]):
    """The number of letters in each state."""

    waiting = serializers.IntegerField()
    sending = serializers.IntegerField()
    sent = serializers.IntegerField()
    perhaps_sent = serializers.IntegerField()
    failed = serializers.IntegerField()


class CycleSerializer(serializers.ModelSerializer[Cycle]):
    """A cycle with the number of its letters in each state, and its task."""

    opened_by = serializers.CharField(source="opened_by.username", default=None, read_only=True)
    state = serializers.ChoiceField(choices=["sending", "stopped", "done"], read_only=True)
    letter = LetterPreviewSerializer(source="*", read_only=True)
    letters = serializers.SerializerMethodField()

    class Meta:
        model = Cycle
        fields = (
            *("id", "year", "due", "state", "reports", "letters", "letter", "task"),
            *("opened_by", "opened_at"),
        )

    @extend_schema_field(LetterCountsSerializer)
    def get_letters(self, cycle: Cycle) -> dict[str, int]:
        """Return the number of letters in each state."""
        return cycle.counts


class LetterSerializer(serializers.ModelSerializer[Letter]):
    """The letter to one person."""

    person = serializers.CharField(source="person.username")

    class Meta:
        model = Letter
        fields = (
            "id",
            "person",
            "address",
            "projects",
            "state",
            "error",
            "message_id",
            "tried_at",
            "sent_at",
        )


class ResendSerializer(StrictSerializer):
    """The state of the letters to send again."""

    state = serializers.ChoiceField(choices=[Letter.State.FAILED, Letter.State.PERHAPS_SENT])


class BounceSerializer(StrictSerializer):
    """Why a letter bounced."""

    reason = serializers.CharField(max_length=250)
