"""Migrations of products, orders and the barrier."""
