// The books of every sender: read = refused + spooled; received = stored + rejected + duplicates.
import { machineLink, Panel } from "yieldline";
import { counted, Light } from "yieldline-system/words.js";

const ROWS_MAX = 400;
const COUNTS = ["read", "refused", "spooled", "waiting", "received", "stored", "rejected", "duplicates"];
const OF_AGENT = new Set(["read", "refused", "spooled", "waiting"]);

// Not 0 first, then what was not stored, then by line and name.
export function inOrder(items) {
  const rank = (each) => (each.difference ? 0 : each.rejected + each.duplicates + (each.refused ?? 0) > 0 ? 1 : 2);
  const natural = new Intl.Collator("en", { numeric: true }).compare;
  return [...items].sort((a, b) => rank(a) - rank(b) || natural(a.line, b.line) || natural(a.machine_id, b.machine_id));
}

export function sumOf(items) {
  const sums = Object.fromEntries(COUNTS.map((name) => [name, null]));
  for (const each of items) for (const name of COUNTS) if (each[name] !== null) sums[name] = (sums[name] ?? 0) + each[name];
  return sums;
}

export const Books = {
  components: { Light, Panel },
  props: { books: Object },
  template: `
<Panel class="books" title="Books" :note="note" :what="what" :rows="items.length" :csv="csv" :empty="empty">
  <template #head><Light v-if="books" :light="books.light"/></template>
  <p class="means" role="status">{{ books.light.meaning }}</p>
  <ol class="flow" aria-label="Every message is counted at each hop">
    <li><em>read by agents</em><b>{{ n(sums.read) }}</b><small>{{ agents ? '= ' + n(sums.refused) + ' refused + spooled' : 'no agent reports' }}</small></li>
    <li class="op" :class="{bad: isOff.read}">{{ isOff.read ? '≠' : '=' }}</li>
    <li><em>spooled</em><b>{{ n(sums.spooled) }}</b><small>{{ agents ? 'by ' + agents + ' of ' + items.length + ', ' + n(sums.waiting) + ' waiting' : 'no agent reports' }}</small></li>
    <li class="op" :class="{bad: isOff.spooled}">{{ isOff.spooled ? '≠' : '→' }}</li>
    <li><em>received</em><b>{{ n(sums.received) }}</b><small>{{ agents ? n(fromAgents) + ' from agents, ' + n(sums.received - fromAgents) + ' direct' : 'all sent directly' }}</small></li>
    <li class="op" :class="{bad: isOff.received}">{{ isOff.received ? '≠' : '=' }}</li>
    <li><em>stored</em><b>{{ n(sums.stored) }}</b><small>runs, each once</small></li>
    <li class="op">+</li>
    <li><em>not stored</em><b>{{ n(sums.rejected + sums.duplicates) }}</b><small>{{ n(sums.rejected) }} rejected, {{ n(sums.duplicates) }} duplicates</small></li>
  </ol>
  <div class="scroll" tabindex="0" aria-label="Books by sender"><table class="grid senders">
    <thead><tr><th scope="col">Machine</th><th scope="col">Line</th><th scope="col">Sent by</th><th v-for="name in counts" scope="col" class="r">{{ name }}</th><th scope="col" class="r">difference</th></tr></thead>
    <tbody v-for="each in shown" :key="each.machine_id" :class="{bad: each.difference}">
      <tr><td class="id"><a :href="machineLink(each.machine_id)">{{ each.machine_id }}</a></td><td>{{ each.line }}</td><td class="t3">{{ each.read === null ? 'direct' : 'agent' }}</td><td v-for="name in counts" class="r" :class="{t3: !each[name], agent: ofAgent.has(name)}" :data-name="name">{{ n(each[name]) }}</td><td class="r diff" data-name="difference">{{ n(each.difference) }}</td></tr>
      <tr v-if="each.hop" class="hop"><td :colspan="counts.length + 4">{{ each.hop }}</td></tr>
    </tbody>
    <tfoot><tr><td>all {{ items.length }}</td><td></td><td></td><td v-for="name in counts" class="r" :class="{agent: ofAgent.has(name)}" :data-name="name">{{ n(sums[name]) }}</td><td class="r diff" :class="{'c-fail': books.difference}" data-name="difference">{{ n(books.difference) }}</td></tr></tfoot>
  </table></div>
  <p class="foot t3">not 0 first, then what was not stored, then by line · – a sender without an agent<template v-if="hidden"> · {{ hidden }} more in the CSV</template></p>
</Panel>`,
  data: () => ({ counts: COUNTS, ofAgent: OF_AGENT }),
  computed: {
    items() { return inOrder(this.books?.items ?? []); },
    shown() { return this.items.slice(0, ROWS_MAX); },
    hidden() { return this.items.length - this.shown.length; },
    sums() { return sumOf(this.items); },
    withAgent() { return this.items.filter((each) => each.read !== null); },
    agents() { return this.withAgent.length; },
    fromAgents() { return sumOf(this.withAgent).received ?? 0; },
    note() { return `since the first message · ${this.items.length} sender${this.items.length === 1 ? "" : "s"}`; },
    isOff() {
      return {
        read: this.withAgent.some((each) => each.refused !== null && each.spooled !== null && each.read !== each.refused + each.spooled),
        spooled: this.withAgent.some((each) => each.receipted !== null && each.receipted > each.received),
        received: this.items.some((each) => each.received !== each.stored + each.rejected + each.duplicates),
      };
    },
    what: () => "Every message is counted at each hop: read = refused + spooled; spooled = waiting + received; received = stored + rejected + duplicates. An agent tells its counts every few seconds, so they may lag a little.",
    empty() {
      if (!this.books) return { words: "The database is away; its books are not lost." };
      return this.items.length ? null : { words: "No machine has sent anything yet.", action: "How to send the first result", href: "/" };
    },
  },
  methods: {
    machineLink,
    n: counted,
    csv() {
      const head = ["machine_id", "line", ...COUNTS, "difference", "hop"];
      return { name: "books", head, rows: this.items.map((each) => head.map((name) => each[name])) };
    },
  },
};
