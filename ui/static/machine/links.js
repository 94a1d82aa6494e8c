// Ways from a machine's page to the pages about the past, with the machine and the same time range.
import { query } from "yieldline";
import { addressOf } from "yieldline/api.js";

// An address with filters; those that are empty are left out.
export const linkTo = addressOf;

// The page's own range, as the address has it.
export const range = () => ({ range: query.range, since: query.since, until: query.until });

// Figures count no golden samples, so neither do their runs.
export const runsOf = (machine, filters = {}) => linkTo("/results", { machine_id: machine, golden: "false", ...range(), ...filters });
