"""The database models: projects, documents, images, tasks, and their companions."""

from documents.models.changes import DocumentChange, ProjectChange
from documents.models.clusters import Cluster, Pause, claimed_on, host_of
from documents.models.cycles import Cycle, Letter
from documents.models.documents import Document, DocumentQuerySet
from documents.models.failures import Failure
from documents.models.images import DocumentImage, DocumentImageQuerySet, image_path
from documents.models.notifications import Delivery, Subscription
from documents.models.prerenders import Prerender, PrerenderState
from documents.models.projects import BusinessArea, Membership, Project, Viewer
from documents.models.report_parts import DrawnPart
from documents.models.scheduled_reports import ScheduledReport
from documents.models.schedules import PeriodicTask
from documents.models.sign_ins import SignIn, SignInQuerySet
from documents.models.tasks import Task, TaskQuerySet

__all__ = [
    "BusinessArea",
    "Cluster",
    "Cycle",
    "Delivery",
    "Document",
    "DocumentChange",
    "DocumentImage",
    "DocumentImageQuerySet",
    "DocumentQuerySet",
    "DrawnPart",
    "Failure",
    "Letter",
    "Membership",
    "Pause",
    "PeriodicTask",
    "Prerender",
    "PrerenderState",
    "Project",
    "ProjectChange",
    "ScheduledReport",
    "SignIn",
    "SignInQuerySet",
    "Subscription",
    "Task",
    "TaskQuerySet",
    "Viewer",
    "claimed_on",
    "host_of",
    "image_path",
]
