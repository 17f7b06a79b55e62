"""The endpoints of cycles, for staff: open, list, stop and resume them, send letters again, record bounces."""

from typing import Any, cast

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.generics import ListAPIView, get_object_or_404
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api import task_responses
from documents.api.filters import CycleFilter, LetterFilter
from documents.api.serializers_cycles import (
    BounceSerializer,
    CycleRequestSerializer,
    CycleSerializer,
    LetterSerializer,
    PreviewSerializer,
    ResendSerializer,
)
from documents.api.serializers_tasks import ProblemSerializer, TaskSerializer
from documents.api.strict import require_no_body
from documents.models import Cycle, Letter
from documents.tasks.cycles import actions, preparation

TASK_RESPONSES: dict[int, Any] = {200: TaskSerializer, 201: TaskSerializer, 202: TaskSerializer}
PROBLEMS: dict[int, Any] = dict.fromkeys((409, 500, 502, 504), ProblemSerializer)
STAFF_ONLY = {403: ProblemSerializer}


@extend_schema_view(
    list=extend_schema(responses={200: CycleSerializer(many=True), **STAFF_ONLY}),
    retrieve=extend_schema(responses={200: CycleSerializer, **STAFF_ONLY}),
)
class CycleViewSet(mixins.RetrieveModelMixin, mixins.ListModelMixin, viewsets.GenericViewSet[Cycle]):
    """Cycles, the newest first."""

    serializer_class = CycleSerializer
    filterset_class = CycleFilter
    permission_classes = (IsAdminUser,)
    expensive_actions = frozenset({"create", "resume", "again"})
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Cycle]:
        """Return all cycles."""
        return Cycle.objects.counted()

    def get_object(self) -> Cycle:
        """Return a cycle with its counts, or answer 404."""
        return _cycle(self.kwargs["pk"])

    @extend_schema(
        request=CycleRequestSerializer, responses=TASK_RESPONSES | PROBLEMS | {200: PreviewSerializer}
    )
    def create(self, request: Request) -> Response:
        """Open a cycle: create its reports and send its letters; ``dry_run`` returns what would be created."""
        form = CycleRequestSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        cycle = form.cycle()
        if form.validated_data["dry_run"]:
            actions.check_new(cycle.year)
            return Response(PreviewSerializer(preparation.preview(cycle)).data)
        return task_responses.respond_with_task(request, actions.open_request(cycle, form.subscribe))

    @extend_schema(request=None, responses={200: CycleSerializer, 409: ProblemSerializer})
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        """Send no further letter, within two seconds."""
        require_no_body(request)
        actions.stop(self.get_object(), cast("User", request.user))
        return Response(CycleSerializer(self.get_object()).data)

    @extend_schema(request=None, responses=TASK_RESPONSES | PROBLEMS)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Prepare and send what is left, in a new task."""
        require_no_body(request)
        return task_responses.respond_with_task(request, actions.resume_request(self.get_object()))

    @extend_schema(request=ResendSerializer, responses=TASK_RESPONSES | PROBLEMS)
    @action(detail=True, methods=["post"])
    def again(self, request: Request, pk: str) -> Response:
        """Send all letters again that failed, or all that were perhaps sent."""
        form = ResendSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return _resend(request, self.get_object(), form.validated_data)


@extend_schema_view(get=extend_schema(responses={200: LetterSerializer(many=True), **STAFF_ONLY}))
class LettersView(ListAPIView[Letter]):
    """The letters of a cycle."""

    queryset = Letter.objects.none()  # from which the schema is generated
    serializer_class = LetterSerializer
    filterset_class = LetterFilter
    permission_classes = (IsAdminUser,)

    def get_queryset(self) -> QuerySet[Letter]:
        """Return the cycle's letters, or answer 404."""
        return _cycle(self.kwargs["cycle_id"]).letters.select_related("person")


class LetterResendView(APIView):
    """One letter, to send again."""

    permission_classes = (IsAdminUser,)
    expensive_actions = frozenset({"post"})

    @extend_schema(request=None, responses=TASK_RESPONSES | PROBLEMS)
    def post(self, request: Request, cycle_id: int, letter_id: int) -> Response:
        """Send a letter again that failed or was perhaps sent, to the person's current address."""
        require_no_body(request)
        return _resend(request, _cycle(cycle_id), {"pk": self.get_object().pk})

    def get_object(self) -> Letter:
        """Return the letter. Raises Http404."""
        return _letter(self)


class BounceView(APIView):
    """The bounce of a letter."""

    permission_classes = (IsAdminUser,)

    @extend_schema(request=BounceSerializer, responses={200: LetterSerializer, 409: ProblemSerializer})
    def post(self, request: Request, cycle_id: int, letter_id: int) -> Response:
        """Record that a letter bounced; for a mail gateway or a person."""
        form = BounceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        letter = self.get_object()
        actions.mark_bounced(letter, form.validated_data["reason"])
        letter.refresh_from_db()
        return Response(LetterSerializer(letter).data)

    def get_object(self) -> Letter:
        """Return the letter. Raises Http404."""
        return _letter(self)


def _letter(view: APIView) -> Letter:
    letters = _cycle(view.kwargs["cycle_id"]).letters.select_related("person")
    letter: Letter = get_object_or_404(letters, pk=view.kwargs["letter_id"])
    return letter


def _cycle(pk: Any) -> Cycle:
    if (cycle := actions.get_with_counts(int(pk))) is None:
        raise Http404
    return cycle


def _resend(request: Request, cycle: Cycle, criteria: dict[str, Any]) -> Response:
    actions.resend_or_raise(cycle.letters.filter(**criteria))
    return task_responses.respond_with_task(request, actions.resume_request(cycle))
