from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("documents", "0016_image_notes")]

    operations = [
        migrations.AddIndex(
            model_name="task",
            index=models.Index(fields=["document", "kind", "-created_at"], name="task_of_document"),
        ),
    ]
