from django.db import migrations, models

from amends.barrier.django_table import barrier_table


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
            ],
        ),
        barrier_table(),
    ]
