from django.db import models


class Order(models.Model):
    id = models.BigAutoField(primary_key=True)
    number = models.IntegerField()

    def __str__(self):
        return str(self.number)
