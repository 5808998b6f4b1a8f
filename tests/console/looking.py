"""Looking at a page of the console as people do: wide and on a phone, light and dark, with a reader of screens. Pictures are kept."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.engine import ROOT

PICTURES = ROOT / "tests" / "console" / "pictures"
_AXE = ROOT / "registry" / "console" / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
_OF_A_LOOK = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""What another look can break: the elements are the same."""
_OF_A_WIDTH = {
    "runOnly": {"type": "rule", "values": ["target-size", "scrollable-region-focusable", "aria-hidden-focus"]}
}
"""What another width can break."""
expect.set_options(timeout=20_000)  # a busy machine may take its time; what is awaited comes, or the test fails
_PHONE = {"width": 390, "height": 844}


async def settled(page: Page) -> None:
    """Wait until the page is live, where it has a frame, and no part of it is being asked for."""
    if await page.locator("[data-live]").count():
        await expect(page.locator("[data-live=on]")).to_have_count(1)
    await expect(page.locator(".htmx-request")).to_have_count(0)


async def look_at(page: Page, name: str) -> None:
    """Check what anybody must be able to use, in both looks, and that a phone shows it without scrolling sideways; keep pictures of it."""
    PICTURES.mkdir(exist_ok=True)
    await settled(page)
    before = page.viewport_size
    assert before is not None
    await _dressed(page, "light")
    await _everybody_can_use(page, f"{name}, light", _RULES)
    await page.screenshot(path=PICTURES / f"{name}-light.png", full_page=True)
    await _dressed(page, "dark")
    await _everybody_can_use(page, f"{name}, dark", _OF_A_LOOK)
    await page.screenshot(path=PICTURES / f"{name}-dark.png", full_page=True)
    await page.set_viewport_size(_PHONE)  # type: ignore[arg-type]
    await _everybody_can_use(page, f"{name}, phone", _OF_A_WIDTH)
    await page.screenshot(path=PICTURES / f"{name}-phone.png", full_page=True)
    wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{name} is {wider} px wider than a phone"
    await page.set_viewport_size(before)


async def _dressed(page: Page, look: str) -> None:
    await page.evaluate("look => { document.documentElement.dataset.look = look; scrollTo(0, 0); }", look)


async def _everybody_can_use(page: Page, name: str, rules: object) -> None:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = await page.evaluate("rules => axe.run(document, { ...rules, resultTypes: ['violations'] })", rules)
    told = [
        f"{one['id']}: {one['help']}: " + "; ".join(node["html"][:160] for node in one["nodes"][:4])
        for one in found["violations"]
    ]
    assert not told, f"{name}: " + "\n".join(told)
