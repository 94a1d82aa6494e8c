// The rows of the grid, block by block: each goes on from the cursor that ended the one before, so that
// new results never push what is being read.
import { addressOf, call, Trouble } from "../api.js";

export const BLOCK_ROWS = 100;

// `given`: the parameters of the list, fixed for its life. `report({first, error})` hears of the first
// block and of trouble.
export function rowSource(given, report) {
  const cursors = [null]; // where each block begins; known once the one before was read
  const leaving = new AbortController();
  let top = null; // the first block is kept: asked again it would begin with newer rows

  async function read(block) {
    if (block === 0 && top) return top;
    for (let i = cursors.length; i <= block; i += 1) await read(i - 1);
    if (cursors[block] === undefined) return { items: [], next_cursor: null };
    const url = addressOf("/api/v1/results", { ...given, limit: BLOCK_ROWS, measurements: false, cursor: cursors[block] });
    const answer = await call(url, { signal: leaving.signal });
    cursors[block + 1] = answer.next_cursor ?? undefined;
    if (block === 0) {
      top = answer;
      report({ first: answer.items });
    }
    return answer;
  }

  return {
    rowCount: undefined,
    destroy: () => leaving.abort(),
    async getRows({ startRow, successCallback, failCallback }) {
      try {
        const { items, next_cursor } = await read(startRow / BLOCK_ROWS);
        successCallback(items, next_cursor ? -1 : startRow + items.length);
      } catch (error) {
        failCallback();
        if (error instanceof Trouble) report({ error: error.message });
        else if (error.name !== "AbortError") throw error;
      }
    },
  };
}
