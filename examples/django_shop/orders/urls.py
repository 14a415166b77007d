"""The URLs of the pages."""

from django.urls import path

from orders import views

urlpatterns = [
    path("", views.place_order, name="place_order"),
    path("orders/<uuid:pk>/", views.show_order, name="order"),
]
