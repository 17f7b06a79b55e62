"""The endpoints of thresholds, mode and feedback."""

from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.models import User
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from metrics import flag, instruments
from metrics.api.permissions import IsStaffOrReadOnly
from metrics.api.serializers import (
    FeedbackSerializer,
    ModeSerializer,
    OverrideSerializer,
    ThresholdsSerializer,
)
from metrics.models import Feedback, ModeState

FEEDBACK_PER_DAY = 10


class ThresholdsView(APIView):
    """Every threshold with its value, limit and state."""

    @extend_schema(responses=ThresholdsSerializer)
    def get(self, request: Request) -> Response:
        """Return the results of the last evaluation."""
        state = ModeState.objects.filter(pk=1).first() or ModeState()
        answer = {
            "evaluated_at": state.evaluated_at,
            "mode": flag.from_state(state).effective,
            "source": state.report.get("source", ""),
            "limits": state.report.get("limits", ""),
            "limits_error": state.limits_error,
            "alarm": state.alarm,
            "hosts": state.report.get("hosts", []),
            "thresholds": state.report.get("thresholds", []),
        }
        return Response(ThresholdsSerializer(answer).data)


class ModeView(APIView):
    """The mode in force."""

    permission_classes = (IsAuthenticated, IsStaffOrReadOnly)

    @extend_schema(responses=ModeSerializer)
    def get(self, request: Request) -> Response:
        """Return the setting, the mode in force, and the reason."""
        state = ModeState.objects.filter(pk=1).first() or ModeState()
        return Response(ModeSerializer(flag.from_state(state)).data)

    @extend_schema(request=OverrideSerializer, responses=ModeSerializer)
    def put(self, request: Request) -> Response:
        """Override the setting until a given time; staff only."""
        form = OverrideSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        override: dict[str, Any] = form.validated_data
        changed = flag.override(
            override["setting"],
            by=request.user.get_username(),
            reason=override["reason"],
            until=override["expires_at"],
        )
        return Response(ModeSerializer(changed).data)


class FeedbackView(APIView):
    """Feedback of users; complaints count towards their threshold."""

    @extend_schema(request=FeedbackSerializer, responses={201: FeedbackSerializer})
    def post(self, request: Request) -> Response:
        """Store a complaint or praise; at most ten a day per person."""
        form = FeedbackSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        day = timezone.now() - timedelta(days=1)
        if (
            Feedback.objects.filter(user=cast("User", request.user), created_at__gt=day).count()
            >= FEEDBACK_PER_DAY
        ):
            raise exceptions.Throttled(
                wait=3600,
                detail=f"You can send at most {FEEDBACK_PER_DAY} messages a day. Send the next one tomorrow.",
            )
        form.save(user_id=request.user.pk)
        with instruments.suppress_metric_errors():
            instruments.FEEDBACK.labels(form.validated_data["kind"]).inc()
        return Response(form.data, status=201)
