"""The tables of the measurements: mode, mode changes, snapshots, evaluations, web processes, activity, feedback."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class ModeState(models.Model):
    """The single row of the mode: the evaluator's decision, and an operator's override.

    ``memories`` holds the states of the thresholds, ``course`` that of the switch, and ``report`` the last results.
    ``limits_text`` is the last valid limits file. ``lease_until`` lets one evaluator work at a time.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    mode = models.CharField(max_length=10, default="inline")
    since = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500, default="inline, because nothing was measured yet")
    alarm = models.CharField(max_length=500, blank=True)
    override = models.CharField(max_length=10, blank=True)
    override_reason = models.CharField(max_length=300, blank=True)
    override_by = models.CharField(max_length=150, blank=True)
    override_at = models.DateTimeField(null=True, blank=True)
    override_until = models.DateTimeField(null=True, blank=True)
    evaluated_at = models.DateTimeField(null=True, blank=True)
    course = models.JSONField(default=dict)
    memories = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    limits_text = models.TextField(blank=True)
    limits_error = models.CharField(max_length=500, blank=True)
    limits_loaded_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField("evaluator at work", max_length=150, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.mode


class ModeChange(models.Model):
    """One change of the mode or of the override, with its evidence."""

    at = models.DateTimeField(default=timezone.now)
    before = models.CharField(max_length=10)
    after = models.CharField(max_length=10)
    setting = models.CharField(max_length=10)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=500)
    evidence = models.JSONField(default=dict)
    is_dry_run = models.BooleanField(default=False)

    class Meta:
        ordering = ("-at",)
        indexes = (models.Index(fields=("-at",), name="mode_change_newest"),)

    def __str__(self) -> str:
        return f"{self.before} to {self.after}: {self.reason}"


class Snapshot(models.Model):
    """The counts of one host at one time; ``counts`` is compressed JSON."""

    host = models.CharField(max_length=150)
    at = models.DateTimeField()
    counts = models.BinaryField()

    class Meta:
        indexes = (models.Index(fields=("host", "-at"), name="snapshot_newest"),)

    def __str__(self) -> str:
        return f"{self.host} at {self.at}"


class Evaluation(models.Model):
    """The results of one evaluation: the value and the shadow of each threshold, for charts and forecasts."""

    at = models.DateTimeField(default=timezone.now)
    mode = models.CharField(max_length=10)
    values = models.JSONField(default=dict)

    class Meta:
        ordering = ("-at",)
        indexes = (models.Index(fields=("-at",), name="evaluation_newest"),)

    def __str__(self) -> str:
        return f"{self.mode} at {self.at}"


class WebProcess(models.Model):
    """A running web process: its own threads, the render slots of its machine, and its heartbeat."""

    name = models.CharField("host, process id and start", max_length=120, primary_key=True)
    host = models.CharField(max_length=120)
    threads = models.PositiveIntegerField()
    render_slots = models.PositiveIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "web processes"

    def __str__(self) -> str:
        return self.name


class Presence(models.Model):
    """When a person was last active, to the minute."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    seen_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.user_id} at {self.seen_at}"


class Feedback(models.Model):
    """Feedback of a user on the service, optionally about a task."""

    class Kind(models.TextChoices):
        COMPLAINT = "complaint", "Complaint"
        PRAISE = "praise", "Praise"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    text = models.TextField(max_length=2000, blank=True)
    task_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "feedback"

    def __str__(self) -> str:
        return f"{self.kind} of {self.user_id}"
