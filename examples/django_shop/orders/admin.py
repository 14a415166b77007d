"""Products and orders in the admin; an order leads to its saga."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from orders.models import Order, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    """Products with their stock."""

    list_display = ("name", "price", "stock")


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    """Orders with their state."""

    list_display = ("__str__", "customer", "product", "quantity", "state", "saga")
    list_filter = ("state",)

    @admin.display
    def saga(self, order):
        """Return a link to the saga's page."""
        url = reverse("admin:amends_saga_change", args=[order.pk])
        return format_html('<a href="{}">{}</a>', url, "saga")
