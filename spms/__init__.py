"""SPMS as a Django project: settings, addresses, and what surrounds the apps."""
