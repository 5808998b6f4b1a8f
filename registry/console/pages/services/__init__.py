"""Services: found, looked into, taken offline and back, labelled, deleted; and their instances."""

from registry.console.pages.services.changing import PAGES as _CHANGING
from registry.console.pages.services.detail import PAGES as _DETAIL
from registry.console.pages.services.instance import PAGES as _INSTANCE
from registry.console.pages.services.labelling import PAGES as _LABELLING
from registry.console.pages.services.listing import PAGES as _LISTING

PAGES = (*_LISTING, *_DETAIL, *_INSTANCE, *_CHANGING, *_LABELLING)
