// What every page's component stands on: one clock, one live connection, words and small pictures.
// Text from outside reaches the page only through Vue's interpolation, never as HTML.
export { clock, live, startLive } from "./connection.js";
export * from "./words.js";
export { Age, Icon, Outcome, Spark, Tape } from "./pictures.js";
