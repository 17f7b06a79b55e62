"""The endpoints of a task's notices, for the users who requested them and for staff."""

import uuid

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from documents.api.serializers_notices import SubscriptionSerializer
from documents.models import Subscription, Task, Viewer
from documents.tasks.notifications import task as notification_task


def visible_subscriptions(user: Viewer, task: Task) -> QuerySet[Subscription]:
    """Return the notices of a task that a user may see."""
    subscriptions = task.notices.select_related("sender").prefetch_related("deliveries")
    return subscriptions if user.is_staff else subscriptions.filter(requested_by_id=user.pk)


class SubscriptionsView(APIView):
    """The notices of a task's end, and every attempt to send them."""

    @extend_schema(responses=SubscriptionSerializer(many=True))
    def get(self, request: Request, task_id: uuid.UUID) -> Response:
        """List the notices that the sender requested; staff see all."""
        notices = visible_subscriptions(request.user, self.get_object())
        return Response(SubscriptionSerializer(notices, many=True).data)

    def get_object(self) -> Task:
        """Return the task. Raises Http404."""
        return _visible_task(self)


class ResendView(APIView):
    """Sends a notice again."""

    @extend_schema(request=None, responses={202: SubscriptionSerializer})
    def post(self, request: Request, task_id: uuid.UUID, notice_id: uuid.UUID) -> Response:
        """Send a notice again, unless it is being sent already."""
        notice = self.get_object()
        if notice.task.has_ended:
            notification_task.resend(notice)
        return Response(SubscriptionSerializer(self.get_object()).data, status=202)

    def get_object(self) -> Subscription:
        """Return the notice. Raises Http404."""
        visible = visible_subscriptions(self.request.user, _visible_task(self))
        notice: Subscription = get_object_or_404(visible, pk=self.kwargs["notice_id"])
        return notice


def _visible_task(view: APIView) -> Task:
    visible = Task.objects.for_user(view.request.user)
    task: Task = get_object_or_404(visible, pk=view.kwargs["task_id"])
    return task
