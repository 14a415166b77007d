"""The pages: a form that places an order, and the order."""

from django.db import transaction
from django.forms import ModelForm
from django.shortcuts import get_object_or_404, redirect, render

from orders.models import Order
from orders.sagas import order_saga
from orders.tasks import OrderInput


class OrderForm(ModelForm):
    """What a customer says."""

    class Meta:
        model = Order
        fields = ("customer", "card", "product", "quantity")


def place_order(request):
    """Show the form, or write the order and the start of its saga in one transaction."""
    form = OrderForm(request.POST or None)
    if not form.is_valid():
        return render(request, "orders/place_order.html", {"form": form})
    with transaction.atomic():
        order = form.save()
        order_saga.start_on_commit(
            OrderInput(
                order_id=order.pk,
                product_id=order.product_id,
                quantity=order.quantity,
                card=order.card,
                cents=order.quantity * order.product.price,
            ),
            saga_id=order.pk,
        )
    return redirect(order)


def show_order(request, pk):
    """Show how far an order is."""
    order = get_object_or_404(Order, pk=pk)
    return render(request, "orders/order.html", {"order": order})
