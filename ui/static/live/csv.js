// A table as a CSV file. Text that a spreadsheet would take for a formula gets a ' before it; numbers
// stay numbers.
const FORMULA = /^[ \n]*[=+\-@\t\r]/;

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const safe = FORMULA.test(String(value)) ? `'${value}` : String(value);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvOf = (rows) => rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

export function saveBlob(name, blob) {
  const url = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export const saveFile = (name, type, content) => saveBlob(name, new Blob([content], { type }));

// `head`: names of the columns. `rows`: arrays of numbers, text or null.
export const saveCsv = (name, head, rows) => saveFile(`${name}.csv`, "text/csv", csvOf([head, ...rows]));
