"""The row of a subscription is called so in the code; its table keeps its name, as the old version uses it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("documents", "0011_drawn_parts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Notice", "Subscription"),
                migrations.AlterModelTable("Subscription", "documents_notice"),
            ],
        ),
    ]
