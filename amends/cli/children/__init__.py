"""What people see of sagas that are steps of others."""
