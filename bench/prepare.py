"""``python -m bench.prepare COUNT``: fill a database with plans of 3 pages; prints their ids and a token."""

import json
import sys
from random import Random

import django


def main() -> None:
    """Migrate, make the documents, print what a client needs."""
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from rest_framework.authtoken.models import Token

    from bench import data
    from documents.models import BusinessArea

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    staff = User.objects.create_user("bench", is_staff=True)
    area, random = BusinessArea.objects.create(name="Marine Science", leader=staff), Random(7)
    plans = [data.short(area, random, number).pk for number in range(1, int(sys.argv[1]) + 1)]
    print(json.dumps({"token": Token.objects.create(user=staff).key, "plans": plans}))


if __name__ == "__main__":
    main()
