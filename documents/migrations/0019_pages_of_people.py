import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("documents", "0018_prerenders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="SignIn",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("session_key", models.CharField(max_length=40, unique=True)),
                ("address", models.GenericIPAddressField()),
                ("browser", models.CharField(blank=True, max_length=200, verbose_name="user agent")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sign_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"ordering": ("-created_at",)},
        ),
        migrations.AddField(
            model_name="task",
            name="picture",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                max_length=200,
                verbose_name="name of the picture of its first page",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(fields=["document", "kind", "-created_at"], name="task_of_document"),
        ),
    ]
