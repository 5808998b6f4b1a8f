"""Tests of the core of alarms."""
