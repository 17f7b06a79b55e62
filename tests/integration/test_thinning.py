"""Months of running leave a bounded amount of evaluations and of folders."""

import itertools
import os
import time
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from metrics.collection import process_slots
from metrics.evaluation import dead_hosts, evaluator, thinning
from metrics.models import Evaluation

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 1, 12, tzinfo=timezone.get_default_timezone())


def evaluate_every(seconds, *, begin, end):
    """Store evaluations of the time between two ages."""
    count = round((begin - end).total_seconds() / seconds)
    times = [NOON - begin + timedelta(seconds=seconds * number) for number in range(count)]
    Evaluation.objects.bulk_create([Evaluation(at=at, mode="inline") for at in times], batch_size=500)


def test_a_day_stays_whole_a_week_has_minutes_and_then_there_are_hours():
    evaluate_every(15, begin=timedelta(hours=26), end=timedelta(hours=22))
    evaluate_every(60, begin=timedelta(days=7, hours=4), end=timedelta(days=7, hours=-4))
    thinning.thin(NOON)
    ages = [NOON - at for at in Evaluation.objects.values_list("at", flat=True)]
    of_today = [age for age in ages if age <= timedelta(days=1)]
    of_the_week = [age for age in ages if timedelta(days=1) < age <= timedelta(days=7)]
    older = [age for age in ages if age > timedelta(days=7)]
    assert len(of_today) == 2 * 240
    assert len(of_the_week) == 2 * 60 + 4 * 60
    assert len(older) == 4


def test_a_year_of_evaluations_is_bounded():
    """Thin as often as the evaluator does, some days long: each day adds what an old day keeps, and no more."""
    sizes = []
    for day in range(12):
        at = NOON + timedelta(days=day)
        times = [at - timedelta(seconds=30 * number) for number in range(2880)]
        Evaluation.objects.bulk_create([Evaluation(at=time, mode="inline") for time in times], batch_size=500)
        evaluator.prune(at.timestamp())
        sizes.append(Evaluation.objects.count())
    growth = [after - before for before, after in itertools.pairwise(sizes)]
    assert max(growth[-3:]) <= 24 + 1


def test_thinning_twice_removes_nothing_more():
    evaluate_every(15, begin=timedelta(hours=25), end=timedelta(hours=24))
    assert thinning.thin(NOON) == 180
    assert thinning.thin(NOON) == 0


def test_folders_of_dead_hosts_are_removed_and_those_of_living_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(process_slots, "folder", lambda: tmp_path / "own")
    long_ago = time.time() - timedelta(days=32).total_seconds()
    for name, is_old in (("own", True), ("dead", True), ("living", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "counter_slot-0.db").write_bytes(b"x")
        for path in (tmp_path / name / "counter_slot-0.db", tmp_path / name):
            os.utime(path, (long_ago, long_ago) if is_old else None)
    assert dead_hosts.remove(timezone.now()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["living", "own"]
