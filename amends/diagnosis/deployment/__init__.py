"""What would break sagas in an app as it is configured, deployed and connected."""
