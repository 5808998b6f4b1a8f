// The graph of calls is made on the server; this moves it and changes its size. The size is kept on the document, where no refresh takes it away.
const STEP = 1.25;
const SMALLEST = 0.2;
const LARGEST = 2;
const attached = new WeakSet();

export function attach(box) {
  if (attached.has(box)) return;
  attached.add(box);
  fit(box, { onlySmaller: true });
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoom(size() * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
  }, { passive: false });
  drag(box);
}

document.addEventListener("click", (event) => {
  const wanted = event.target.closest("[data-zoom]")?.dataset.zoom;
  const box = document.querySelector("[data-graph]");
  if (!wanted || !box) return;
  if (wanted === "fit") fit(box, { onlySmaller: false });
  else zoom(size() * (wanted === "in" ? STEP : 1 / STEP));
});

function size() {
  return Number(document.documentElement.style.getPropertyValue("--graph-zoom")) || 1;
}

function zoom(wanted) {
  document.documentElement.style.setProperty("--graph-zoom", Math.min(LARGEST, Math.max(SMALLEST, wanted)).toFixed(3));
}

/** As wide as there is room; where it would be illegible that way, one scrolls. */
function fit(box, { onlySmaller }) {
  const room = (box.clientWidth - 2) / Number(box.querySelector("svg").getAttribute("width"));
  zoom(onlySmaller ? Math.min(1, Math.max(room, 0.6)) : Math.min(1, room));
}

function drag(box) {
  let from = null;
  box.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0) from = { x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop };
  });
  box.addEventListener("pointermove", (event) => {
    if (!from) return;
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > 4) box.dataset.dragged = "";
    box.scrollLeft = from.left - (event.clientX - from.x);
    box.scrollTop = from.top - (event.clientY - from.y);
  });
  box.addEventListener("dragstart", (event) => event.preventDefault());
  window.addEventListener("pointerup", () => {
    from = null;
    setTimeout(() => delete box.dataset.dragged);
  });
  // Whoever has moved the graph did not mean the service under the pointer.
  box.addEventListener("click", (event) => {
    if ("dragged" in box.dataset) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
}
