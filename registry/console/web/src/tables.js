// Copy buttons (`data-copy`), and rows that are links (`data-href`).
export function startTables() {
  document.body.addEventListener("click", async (event) => {
    const copied = event.target.closest("[data-copy]");
    if (copied) {
      await navigator.clipboard?.writeText(copied.dataset.copy);
      copied.dataset.copied = "";
      setTimeout(() => delete copied.dataset.copied, 1500);
      return;
    }
    const row = event.target.closest("[data-href]");
    if (row && !event.target.closest("a, button, input, select, label, summary")) row.querySelector("a")?.click();
  });
}
