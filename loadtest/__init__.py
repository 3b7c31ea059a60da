"""Locust users for fastws; see README.md beside this file."""
