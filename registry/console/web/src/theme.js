// The page's colours as charts and editors need them: read from the style sheet, so that there is one place for them.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export const palette = () => [1, 2, 3, 4, 5, 6, 7, 8].map((number) => colour(`series-${number}`));
