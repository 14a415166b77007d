"""Products, and what customers order of them."""

import uuid

from django.core.validators import MinValueValidator
from django.db import models
from django.urls import reverse


class Product(models.Model):
    """A product, and how many of it are left."""

    name = models.CharField(max_length=100, unique=True)
    price = models.PositiveIntegerField(help_text="Cents")
    stock = models.PositiveIntegerField(default=0)

    def __str__(self):
        return self.name


class Order(models.Model):
    """An order. Its saga has the same id, and moves it from one state to the next."""

    class State(models.TextChoices):
        """How far an order is."""

        PLACED = "placed"
        CONFIRMED = "confirmed"
        REJECTED = "rejected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    customer = models.CharField(max_length=100)
    card = models.CharField(max_length=20)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField(default=1, validators=[MinValueValidator(1)])
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLACED)

    def __str__(self):
        return str(self.pk)

    def get_absolute_url(self):
        """Return the URL of its page."""
        return reverse("order", args=[self.pk])


class Payment(models.Model):
    """What was charged to a card. In a real shop this is the payment provider's, behind an API."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    cents = models.IntegerField()

    def __str__(self):
        return f"{self.cents / 100:.2f} for {self.order}"
