"""``python -m bench.prepare PLANS PEOPLE``: fill a database with plans of 3 pages; prints what clients need."""

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
    staff_data = {
        "token": Token.objects.create(user=staff).key,
        "session": data.session(staff),
        "plans": plans,
    }
    print(json.dumps({**staff_data, "people": data.people(int(sys.argv[2]), plans)}))


if __name__ == "__main__":
    main()
