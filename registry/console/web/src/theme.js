// The page's colours as charts and editors need them: read from the style sheet, so that there is one place for them.
const probe = document.createElement("span");
probe.hidden = true;

// A colour of tokens.css as the look of now has it: `light-dark()` counts only where something has that colour.
export function colour(name) {
  document.documentElement.append(probe);
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

export const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`series-${number}`));
