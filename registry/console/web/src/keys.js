// The keyboard: `/` to search and Escape to leave the field, `g` and a letter to go to a page, `?` for the list, `n` and `p` through rows; Escape closes.
let waiting = false;

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.matches("main [type=search]")) press(event, () => event.target.blur());
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable], dialog")) return;
    if (waiting) {
      waiting = false;
      const link = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
      if (link) press(event, () => link.click());
    } else if (event.key === "g") {
      waiting = true;
    } else if (event.key === "/") {
      const field = document.querySelector("main [type=search]");
      if (field) press(event, () => field.focus());
    } else if (event.key === "?") {
      press(event, () => document.getElementById("keys").showModal());
    } else if (event.key === "n" || event.key === "p") {
      move(event, event.key === "n" ? 1 : -1);
    }
  });
  document.body.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggles]");
    if (toggle) {
      const open = document.getElementById(toggle.dataset.toggles).toggleAttribute("data-open");
      toggle.setAttribute("aria-expanded", String(open));
    }
    const opener = event.target.closest("[data-opens]");
    if (opener) document.getElementById(opener.dataset.opens).showModal();
  });
}

function press(event, act) {
  event.preventDefault();
  act();
}

function move(event, step) {
  const links = [...document.querySelectorAll("main tbody tr a:first-of-type, main [data-row]")];
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  press(event, () => links[Math.max(0, Math.min(links.length - 1, at + step))].focus());
}
