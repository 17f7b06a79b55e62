"""The alerts that no limit can give fire when they should, as Prometheus' own tool evaluates them."""

import subprocess
from pathlib import Path

import yaml

from metrics.decisions.limits_file import load
from metrics.prometheus import alert_rules

ROOT = Path(__file__).parent.parent.parent
HEALTHY = {
    "spms_evaluator_last_run_timestamp_seconds": "0+60x1700",  # now, each minute
    'spms_queue_workers{instance="web"}': "2x1700",
    'spms_render_duration_seconds_sum{instance="web"}': "0+30x1700",  # half a slot
    'spms_render_slots{instance="web"}': "1x1700",
    'spms_disk_free_bytes{instance="web"}': "50x1700",
    'spms_disk_size_bytes{instance="web"}': "100x1700",
    'spms_last_backup_timestamp_seconds{instance="web"}': "0+60x1700",
    'up{job="spms", instance="web"}': "1x1700",
}
FAULTS = {
    "SpmsEvaluatorDead": {"spms_evaluator_last_run_timestamp_seconds": "0x1700"},
    "SpmsNoLiveWorkers": {'spms_queue_workers{instance="web"}': "0x1700"},
    "SpmsOfferedLoad": {'spms_render_duration_seconds_sum{instance="web"}': "0+54x1700"},
    "SpmsDiskFull": {'spms_disk_free_bytes{instance="web"}': "9x1700"},
    "SpmsBackupFailed": {'spms_last_backup_timestamp_seconds{instance="web"}': "0x1700"},
    "SpmsScrapeFailed": {'up{job="spms", instance="web"}': "0x1700"},
}


def alerts_of(series, firing):
    """Return a test of promtool: 27 hours of series, and which of our alerts fire at the end."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count by (alertname) (ALERTS{{alertname="{name}", alertstate="firing"}})',
                "eval_time": "27h",
                "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name == firing else [],
            }
            for name in FAULTS
        ],
    }


def test_each_fault_fires_its_alert_and_no_other(tmp_path):
    (tmp_path / "rules.yml").write_text(
        alert_rules.build_rules(load(ROOT / "thresholds.yaml"), "https://spms.example.org")
    )
    tests = [alerts_of(HEALTHY, None), *(alerts_of(HEALTHY | fault, name) for name, fault in FAULTS.items())]
    missing = {name: values for name, values in HEALTHY.items() if "evaluator" not in name}
    tests.append(alerts_of(missing, "SpmsEvaluatorDead"))
    (tmp_path / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests})
    )
    checked = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "tests.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_fault_has_an_alert():
    assert {row[0] for row in alert_rules.OPERATIONAL_ALERTS} == set(FAULTS)
