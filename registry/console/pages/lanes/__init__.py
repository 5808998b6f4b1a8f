"""Lanes: the groups drawn as lanes, what leads requests into them, and every change of them."""

from registry.console.pages.lanes.changing import PAGES as _CHANGING
from registry.console.pages.lanes.forms import PAGES as _FORMS
from registry.console.pages.lanes.showing import PAGES as _SHOWING

PAGES = (*_SHOWING, *_FORMS, *_CHANGING)
