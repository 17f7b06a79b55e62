from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0016_image_notes")]

    operations = [
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
