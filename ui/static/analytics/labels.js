// Labels beside a chart that must not lie on each other.
const LABEL_PX = 13;

// How far labels at these heights (pixels from the top) must move down; in the order they are given.
export function shiftsOf(heights) {
  const order = [...heights.keys()].sort((a, b) => heights[a] - heights[b]);
  const shifts = heights.map(() => 0);
  let free = -Infinity;
  for (const i of order) {
    const at = Math.max(heights[i], free);
    shifts[i] = at - heights[i];
    free = at + LABEL_PX;
  }
  return shifts;
}
