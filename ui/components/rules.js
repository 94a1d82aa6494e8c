// The rules: versions, what changes, the draft as table or TOML, its back-test, its way into force.
import { Backtest, Activate, Notice } from "yieldline-rules/testing.js";
import { Book } from "yieldline-rules/book.js";
import { Changes } from "yieldline-rules/changes.js";
import { openDesk } from "yieldline-rules/desk.js";
import { Shadow } from "yieldline-rules/shadow.js";
import { Versions } from "yieldline-rules/versions.js";
import { Which } from "yieldline-rules/which.js";

export default {
  components: { Activate, Backtest, Book, Changes, Notice, Shadow, Versions, Which },
  template: `
<div class="ru">
  <div class="col left"><Versions :desk="desk"/></div>
  <div class="col mid"><Notice :desk="desk"/><Changes :desk="desk"/><Book :desk="desk"/><Shadow :desk="desk"/></div>
  <div class="col right"><Backtest :desk="desk"/><Activate :desk="desk"/><Which :desk="desk"/></div>
</div>`,
  created() { this.desk = openDesk(); },
};
