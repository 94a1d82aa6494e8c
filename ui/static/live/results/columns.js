// The columns of the Results page. Text reaches a cell as text only.
import { clock } from "../connection.js";
import { clockTime, plantDay, runTime, unitLink } from "../words.js";

const SVG = "http://www.w3.org/2000/svg";
const LOOKS = { PASS: ["pass-line", "q"], FAIL: ["fail", "c-fail"], ERROR: ["error", "c-error"], UNJUDGED: ["unjudged", "c-unj"] };

function node(tag, className, ...content) {
  const made = Object.assign(document.createElement(tag), { className });
  made.append(...content);
  return made;
}

function icon(name, size = 15) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ class: "ic", width: size, height: size, "aria-hidden": "true" })) svg.setAttribute(key, value);
  svg.append(document.createElementNS(SVG, "use"));
  svg.firstChild.setAttribute("href", `#i-${name}`);
  return svg;
}

export function outcomeNode(outcome) {
  const [name, look] = LOOKS[outcome] ?? LOOKS.UNJUDGED;
  return node("span", `o ${look}`, icon(name), outcome);
}

const seconds = (text) => Date.parse(text) / 1000;

export function startWords(text) {
  const at = seconds(text);
  return plantDay(at) === plantDay(clock.second) ? clockTime(at) : `${plantDay(at)} ${clockTime(at)}`;
}

function barcodeNode(run) {
  const link = node("a", "mono", run.barcode);
  link.href = unitLink(run.barcode, run.run_id);
  link.tabIndex = -1; // Enter opens the sheet, which has the link too
  return link;
}

function saidNode(run) {
  if (run.reported_outcome === null) return node("span", "t3", "\u2013");
  if (run.agrees === false) return node("span", "o c-marg", icon("differs", 13), node("span", "sr-only", "differs: "), run.reported_outcome);
  return node("span", "t2", run.reported_outcome);
}

const shape = () => node("i", "cellshape"); // while its block is on the way
const drawn = (make) => ({ data }) => (data ? make(data) : shape());
const plain = (name, look = "") => drawn((run) => node("span", look, String(run[name] ?? "\u2013")));

export const COLUMNS = [
  { colId: "outcome", headerName: "outcome", width: 124, cellRenderer: drawn((run) => outcomeNode(run.outcome)) },
  { colId: "start", headerName: "start", width: 136, cellRenderer: drawn((run) => node("span", run.clock_suspect ? "c-marg" : "t2", startWords(run.timestamp))), tooltipValueGetter: ({ data }) => data && runTime(data) },
  { colId: "barcode", headerName: "barcode", minWidth: 170, flex: 2, cellRenderer: drawn(barcodeNode) },
  { colId: "machine_id", headerName: "machine", minWidth: 100, flex: 1, cellRenderer: plain("machine_id") },
  { colId: "line", headerName: "line", width: 92, cellRenderer: plain("line") },
  { colId: "product_id", headerName: "product", minWidth: 100, flex: 2, cellRenderer: plain("product_id") },
  { colId: "procedure", headerName: "procedure", minWidth: 96, flex: 1, cellRenderer: plain("procedure") },
  { colId: "attempt", headerName: "attempt", width: 84, cellRenderer: drawn((run) => node("span", run.attempt > 1 ? "" : "t3", run.attempt > 1 ? String(run.attempt) : "first")) },
  { colId: "first_failure", headerName: "first failure", minWidth: 130, flex: 3, cellRenderer: drawn((run) => node("span", "mono", run.first_failure ?? "")) },
  { colId: "reported_outcome", headerName: "tester said", width: 116, cellRenderer: drawn(saidNode) },
  { colId: "rulebook_version", headerName: "rulebook", width: 92, cellRenderer: drawn((run) => node("span", "t3", run.rulebook_version ? `v${run.rulebook_version}` : "none")) },
];

// A phone's list: a card instead of a row.
function card(run) {
  const said = run.first_failure ? node("span", "mono why", run.first_failure) : node("span", "why t3", run.product_id);
  return node("div", "card", outcomeNode(run.outcome), node("span", "mono bc", run.barcode), node("span", "t3 at", startWords(run.timestamp)), node("span", "t2 where", `${run.machine_id} \u00b7 ${run.procedure}`), said);
}

export const CARD_COLUMN = { colId: "card", headerName: "runs", flex: 1, cellRenderer: drawn(card) };

// Grey as the page: the grid takes the tokens, and so follows the theme by itself.
export const LOOK = {
  accentColor: "var(--accent)",
  backgroundColor: "var(--s1)",
  foregroundColor: "var(--text)",
  borderColor: "var(--line)",
  borderRadius: 0,
  browserColorScheme: "inherit",
  cellHorizontalPadding: 14,
  chromeBackgroundColor: "var(--s1)",
  columnBorder: false,
  fontFamily: "inherit",
  fontSize: 13,
  headerBackgroundColor: "var(--s1)",
  headerFontSize: 12,
  headerFontWeight: 400,
  headerTextColor: "var(--text-3)",
  headerHeight: 30,
  headerColumnResizeHandleColor: "transparent",
  rowHeight: 30,
  rowHoverColor: "var(--s2)",
  selectedRowBackgroundColor: "var(--accent-tint)",
  wrapperBorder: false,
};
