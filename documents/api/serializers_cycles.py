"""How cycles and their letters look in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from documents.api.serializers import SubscriptionRequestSerializer
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
        """Refuse unknown placeholders, and whatever would begin another header."""
        if reason := letter_template.find_problem(value, is_subject=True):
            raise serializers.ValidationError(reason)
        return value

    def validate_text(self, value: str) -> str:
        """Refuse unknown placeholders."""
        if reason := letter_template.find_problem(value):
            raise serializers.ValidationError(reason)
        return value


class CycleRequestSerializer(SubscriptionRequestSerializer):
    """A cycle to open; with ``dry_run`` nothing is made, and the answer says what would be."""

    year = serializers.IntegerField(validators=YEAR_VALIDATORS)
    due = serializers.DateField()
    letter = LetterTextSerializer(required=False)
    dry_run = serializers.BooleanField(default=False)

    def cycle(self) -> Cycle:
        """Return the cycle that is asked for, not stored yet."""
        asked = self.validated_data
        letter = asked.get("letter") or {"subject": letter_template.SUBJECT, "text": letter_template.TEXT}
        return Cycle(year=asked["year"], due=asked["due"], opened_by=self.context["request"].user, **letter)


class LetterPreviewSerializer(serializers.Serializer[Any]):
    """A letter as somebody reads it."""

    subject = serializers.CharField()
    text = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What opening a cycle would make."""

    reports = serializers.IntegerField()
    letters = serializers.IntegerField()
    without_address = serializers.IntegerField()
    seconds = serializers.FloatField(help_text="how long sending takes at the limit")
    example = LetterPreviewSerializer(allow_null=True)


class LetterCountsSerializer(serializers.Serializer[Any]):
    """How many letters are in each state."""

    waiting = serializers.IntegerField()
    sending = serializers.IntegerField()
    sent = serializers.IntegerField()
    perhaps_sent = serializers.IntegerField()
    failed = serializers.IntegerField()


class CycleSerializer(serializers.ModelSerializer[Cycle]):
    """A cycle: what was sent, what was not, and which task is at it."""

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
        """Return how many letters are in each state."""
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
    """Which letters to send again."""

    state = serializers.ChoiceField(choices=[Letter.State.FAILED, Letter.State.PERHAPS_SENT])


class BounceSerializer(StrictSerializer):
    """Why a letter came back."""

    reason = serializers.CharField(max_length=250)
