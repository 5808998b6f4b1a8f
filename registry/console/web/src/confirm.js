// What cannot be undone asks first, in a dialog that names what it will hit: `data-confirm` on what is pressed, `data-confirm-word` for one that must be typed.
export function startConfirming() {
  document.body.addEventListener("htmx:confirm", (event) => {
    const asked = event.detail.elt.closest("[data-confirm]");
    if (!asked || asked !== event.detail.elt) return;
    event.preventDefault();
    ask(asked).then((agreed) => agreed && event.detail.issueRequest(true));
  });
}

function ask(element) {
  const dialog = document.getElementById("confirm");
  const word = element.dataset.confirmWord ?? "";
  const field = dialog.querySelector("input");
  const agree = dialog.querySelector("[value=yes]");
  dialog.querySelector("[data-question]").textContent = element.dataset.confirm;
  dialog.querySelector("[data-word-part]").hidden = !word;
  dialog.querySelector("[data-word]").textContent = word;
  field.value = "";
  agree.disabled = Boolean(word);
  field.oninput = () => (agree.disabled = field.value !== word);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
