"""The same limits as Prometheus alert rules, so that its alerts and ours agree."""

from typing import Any

import yaml

from metrics.collection import sources
from metrics.decisions import metric_names
from metrics.decisions.criteria import Statistic
from metrics.decisions.limits_file import LimitsFile, Threshold
from metrics.decisions.threshold_state import show

HEAD = "# Written by `spms export_prometheus_rules` from thresholds.yaml; change that file instead.\n"

# Name, expression, for how long, severity, summary. What none of the limits can tell: they are evaluated by a process
# that may be dead, from data that it no longer writes.
OPERATIONAL_ALERTS = (
    (
        "SpmsEvaluatorDead",
        f"time() - max({metric_names.EVALUATOR_LAST_RUN}) > 120 or absent({metric_names.EVALUATOR_LAST_RUN})",
        "2m",
        "critical",
        "no evaluation for two minutes: start the evaluator; the last mode stays in force",
    ),
    (
        "SpmsNoLiveWorkers",
        f"max({metric_names.QUEUE_WORKERS}) < 1",
        "2m",
        "critical",
        "no worker of the queue is alive: queued PDFs, notices and scheduled tasks wait",
    ),
    (
        "SpmsOfferedLoad",
        f"sum(rate({metric_names.RENDER_SECONDS}_sum[15m])) / sum({metric_names.RENDER_SLOTS}) > 0.8",
        "15m",
        "warning",
        "rendering takes over 80 % of all rendering slots: add cores or worker hosts",
    ),
    (
        "SpmsDiskFull",
        f"min({metric_names.DISK_FREE_BYTES} / {metric_names.DISK_SIZE_BYTES}) < 0.1",
        "10m",
        "warning",
        "less than 10 % of the disk of SPMS_DATA_DIR is free",
    ),
    (
        "SpmsBackupFailed",
        f"time() - max({metric_names.LAST_BACKUP}) > {26 * 3600}",
        "5m",
        "critical",
        "no backup for 26 hours: run `spms backup` and read why it fails",
    ),
    (
        "SpmsScrapeFailed",
        'up{job=~"spms.*"} == 0',
        "2m",
        "critical",
        "a process of SPMS does not answer at /metrics",
    ),
)


def build_rules(limits: LimitsFile, site_url: str) -> str:
    """Return a rules file: a recording and an alert for each threshold that Prometheus can compute.

    Each alert links to its limit on the dashboard of ``site_url``.
    """
    written: list[dict[str, Any]] = []
    for threshold in limits.thresholds:
        value = expression(threshold)
        if value is not None:
            written += [{"record": f"spms:{threshold.name}", "expr": value}, _alert(threshold, site_url)]
    operations = [_operational_alert(*row) for row in OPERATIONAL_ALERTS]
    body = {
        "groups": [
            {"name": "spms", "interval": "15s", "rules": written},
            {"name": "spms-operations", "interval": "60s", "rules": operations},
        ]
    }
    return HEAD + yaml.safe_dump(body, sort_keys=False, width=110, allow_unicode=True)


def expression(threshold: Threshold) -> str | None:
    """Return the PromQL of a threshold's value; None if only the evaluator can compute it."""
    criterion, length = threshold.criterion, f"[{round(threshold.window_seconds)}s]"
    if criterion.is_computed:
        return None
    metric = criterion.metrics[0]
    if criterion.kind == Statistic.GAUGE:
        return f"max({metric})"
    if criterion.kind == Statistic.RATIO:
        whole = criterion.metrics[1]
        return f"sum(increase({metric}{length})) / (sum(increase({whole}{length})) > 0)"
    labels = sources.HISTOGRAMS[metric][1]
    buckets = f"sum by (le) (increase({metric}_bucket{{{labels}}}{length}))"
    count = f"sum(increase({metric}_count{{{labels}}}{length}))"
    if criterion.kind == Statistic.QUANTILE:
        return f"histogram_quantile({criterion.quantile}, {buckets})"
    if criterion.kind == Statistic.MEAN:
        return f"sum(increase({metric}_sum{{{labels}}}{length})) / ({count} > 0)"
    under = f'le="{float(threshold.over_seconds or 0)}"'
    below = f"sum(increase({metric}_bucket{{{', '.join(filter(None, (labels, under)))}}}{length}))"
    return f"{count} - {below}" if criterion.kind == Statistic.COUNT_OVER else f"1 - {below} / ({count} > 0)"


def _operational_alert(name: str, expr: str, duration: str, severity: str, summary: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expr,
        "for": duration,
        "labels": {"severity": severity},
        "annotations": {"summary": summary, "description": "See docs/operations.md; now {{ $value }}"},
    }


def _alert(threshold: Threshold, site_url: str) -> dict[str, Any]:
    unit = threshold.criterion.unit
    return {
        "alert": "Spms" + "".join(word.title() for word in threshold.name.split("_")),
        "expr": f"spms:{threshold.name} > {threshold.limit:g}",
        "for": f"{round(threshold.for_seconds)}s",
        "keep_firing_for": f"{round(threshold.keep_firing_for_seconds)}s",
        "labels": {"severity": threshold.severity},
        "annotations": {
            "summary": f"{threshold.name.replace('_', ' ')} is above {show(threshold.limit, unit)}",
            "description": f"{threshold.criterion.description}; now {{{{ $value }}}}",
            "dashboard": f"{site_url}/dashboard/#{threshold.name}",
        },
    }
