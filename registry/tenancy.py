"""Tenants: everything that is kept belongs to a domain and a project, and to nobody else."""

from urllib.parse import quote


def tenant_name(domain: str, project: str) -> str:
    """The name that a tenant has everywhere inside the engine: both parts with a slash between, and none within."""
    return f"{segment(domain)}/{segment(project)}"


def segment(text: str) -> str:
    """The text as one segment of a journal key: without a slash."""
    return text if text.isalnum() else quote(text, safe="")
