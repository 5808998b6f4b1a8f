// A slider says its number while it moves: `data-slider` on it, and the `output` that is for it.
export function startSliders() {
  document.body.addEventListener("input", (event) => {
    if (!event.target.matches("[data-slider]")) return;
    const told = document.querySelector(`output[for="${CSS.escape(event.target.id)}"]`);
    if (told) told.textContent = `${event.target.value} %`;
  });
}
