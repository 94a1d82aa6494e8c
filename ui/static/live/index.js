// What every page's component stands on: one clock, one live connection, words and small pictures.
// Text from outside reaches the page only through Vue's interpolation, never as HTML.
export { clock, live, lookAt, startLive } from "./connection.js";
export * from "./words.js";
export { Age, Icon, Outcome, Spark, Tape } from "./pictures.js";
export { change, filterWords, has, parameters, query, refresh, scope, setAside } from "./scope.js";
export { call, question, Trouble } from "./api.js";
export { AsOf, CopyLink, Empty, Failed, Panel, Popover, Shapes, Sheet } from "./panel.js";
export { FilterBar } from "./filterbar.js";
export { copyText } from "./copy.js";
export { caller, lacks, may, meet, needs } from "./rights.js";
export { onKey } from "./keys.js";
