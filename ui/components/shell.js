// The frame of every page: rail, top bar with scan box and pulse, status line, keys, theme.
import { shallowReactive } from "vue";
import { caller, change, clock, clockTime, has, Icon, live, meet, Popover, query, startLive, thousands, unitLink, weekday, zoneName } from "yieldline";
import { keySettings, pageKeys, turnSingleKeys, watchKeys } from "yieldline/keys.js";
import { Camera } from "yieldline/scan/camera.js";
import { readScan } from "yieldline/scan/patterns.js";
import { ScanSheet } from "yieldline/scan/scan_sheet.js";
import { unsavedBox, watchTyping } from "yieldline/scan/unsaved.js";
import { RangeChip } from "yieldline/rangechip.js";
import { shift, startScope } from "yieldline/scope.js";
import { spanWords, turnOwnTime, zones } from "yieldline/words.js";
import { keepLogin } from "yieldline/stay.js";
import { nextTheme, theme } from "yieldline/theme.js";

const FOOT_FROM = 9; // places below the gap of the rail
const COUNT_MAX = 999;

export default {
  components: { Camera, Icon, Popover, RangeChip, ScanSheet },
  props: { title: String, active: String, crumbs: Array, view: String, frame: Object, zone: String, version: String, rail: Array, controls: Array, ranges: Array, lines: Array, patterns: Object, caller: Object },
  template: `
<div class="app" :class="{cut: live.isCut, barred: who.isGuest || who.isLocal}">
  <a class="skip" href="#page" @click.prevent="$refs.page.focus()">Skip to the page</a>
  <p v-if="who.isGuest" class="openbar bad" role="note"><Icon name="critical" size="15"/><b>Nobody has to log in.</b> Everyone who reaches this address sees everything.</p>
  <p v-else-if="who.isLocal" class="openbar" role="note"><Icon name="info" size="15"/>There are no users: everyone on this machine is admin. <span class="mono">yieldline users add NAME --role admin</span></p>
  <nav class="rail" aria-label="Main">
    <a class="logo" href="/" aria-label="Yieldline, home"><svg width="34" height="34" viewBox="0 0 34 34" aria-hidden="true"><rect width="34" height="34" rx="8" fill="var(--s3)"/><path d="M6.5 22.5h5l3-9 4.2 12 3.3-8.5h5.5" fill="none" stroke="var(--text)" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"/><path d="M6.5 10h21" stroke="var(--text-3)" stroke-width="1.5" stroke-dasharray="2.5 3" stroke-linecap="round"/></svg></a>
    <template v-for="page in rail"><span v-if="page === firstOfFoot" class="grow"></span><a class="nav" :class="{on: page.id === active}" :href="page.href" :title="page.place < footFrom ? 'Alt+' + page.place : null" :aria-current="page.id === active ? 'page' : null"><Icon :name="page.icon" size="22"/><span>{{ page.word }}</span><b v-if="count(page)" class="cnt" :class="{soft: !page.is_alarming}">{{ count(page) }}</b></a></template>
  </nav>
  <header class="top">
    <h1>{{ title }}</h1>
    <nav v-if="crumbs.length" class="cr" aria-label="Where you are"><template v-for="(crumb, i) in crumbs"><Icon v-if="i" name="right" size="14"/><a v-if="crumb.href" class="lnk" :href="crumb.href">{{ crumb.text }}</a><span v-else class="mono here">{{ crumb.text }}</span></template></nav>
    <label v-if="has('line')" class="chip"><Icon name="floor"/><select :value="query.line" aria-label="Line filter" @change="change({line: $event.target.value})"><option value="">All lines</option><option v-for="each in knownLines" :value="each">{{ each }}</option></select><Icon name="down"/></label>
    <RangeChip v-if="has('range')"/>
    <span v-else-if="active === 'floor'" class="chip shift" title="The running shift, plant time"><Icon name="clock"/>This shift<em>{{ shiftWords }}</em></span>
    <form class="scan" role="search" @submit.prevent="open(scan)"><Icon name="barcode" size="18"/><input ref="scan" v-model="scan" placeholder="Scan a unit, or type a barcode" aria-label="Scan a unit, or type a barcode" autocomplete="off" spellcheck="false" maxlength="128"><kbd>/</kbd></form>
    <span class="grow"></span>
    <span class="pulse" role="status" :title="pulse.title"><Icon :class="pulse.look" :name="pulse.icon" size="14"/>{{ pulse.word }} <b>{{ pulse.age }}</b></span>
    <button v-if="zones.own !== zones.plant" class="now" type="button" :title="zoneTitle" :aria-label="time + ', ' + zoneTitle" @click="turnOwnTime(!zones.isOwn)"><b>{{ time }}</b> <span>{{ day }}</span></button>
    <span v-else class="now" :title="zones.plant"><b>{{ time }}</b> <span>{{ day }}</span></span>
    <button class="ib" type="button" :aria-label="'Theme: ' + theme.choice + '. Change it.'" :title="'Theme: ' + theme.choice" @click="nextTheme"><Icon name="sun" size="18"/></button>
    <button class="ib" type="button" aria-label="Keys" title="Keys (?)" @click="$refs.help.showModal()"><kbd>?</kbd></button>
    <Popover v-if="who.isUser" label="You" look="chip who"><template #button><i class="me" aria-hidden="true">{{ who.name[0] }}</i>{{ who.name }}</template><h3>{{ who.name }}</h3><p class="t2">Your role is {{ who.role }}.</p><form method="post" action="/logout" class="acts"><button class="btn">Log out</button><a class="btn" :href="passwordLink()">Change password</a></form><p class="t3">Logging out ends all your logins, on every screen.</p></Popover>
    <a v-else-if="who.isGuest" class="btn" href="/login">Log in</a>
  </header>
  <div id="page" ref="page" class="body" tabindex="-1">
    <div v-if="live.isCut" class="cutbar" role="alert"><Icon name="offline" size="17"/><b>{{ cutWords }}</b> since {{ clockTime(live.cutSince) }}. Numbers are not live.</div>
    <slot></slot>
  </div>
  <footer class="status" aria-label="System status">
    <a v-if="books" class="books" href="/system" :title="half"><Icon name="scales"/><b>{{ books.difference ? 'Books do not balance' : 'Books balance' }}</b> <span v-if="books.agents" class="own">read {{ n(books.read) }} = refused {{ n(books.refused) }} + spooled {{ n(books.spooled) }},</span>received {{ n(books.received) }} = stored {{ n(books.stored) }} + rejected {{ n(books.rejected) }} + duplicates {{ n(books.duplicates) }} <i class="eq" :class="{bad: books.difference}">difference {{ n(books.difference) }}</i></a>
    <span v-if="books" class="sep"></span>
    <span :title="status.broker_trouble">Broker <b :class="{'c-fail': !status.broker}">{{ status.broker ? 'connected' : 'away' }}</b></span>
    <span v-if="status.database" :title="'A small question took so long'">Database <b>{{ ms(status.database_ms) }}</b></span>
    <span v-else :title="status.database_trouble">Database <b class="c-fail">{{ status.database_trouble ? 'away' : 'not asked yet' }}</b></span>
    <span v-if="typeof status.lag_ms === 'number'">Lag <b>{{ ms(status.lag_ms) }}</b></span>
    <span class="grow"></span>
    <span v-if="status.rulebook">Rulebook <b>v{{ status.rulebook }}</b> since {{ since }}</span>
    <span>Yieldline {{ version }}</span>
  </footer>
  <nav class="mob" aria-label="Main"><template v-for="page in phone"><a v-if="page.id !== 'scan'" :class="{on: page.id === active}" :href="page.href"><Icon :name="page.icon" size="22"/><span>{{ page.word }}</span><b v-if="count(page)" class="cnt" :class="{soft: !page.is_alarming}">{{ count(page) }}</b></a><button v-else type="button" @click="hasCamera = true"><Icon name="barcode" size="22"/><span>Scan</span></button></template><button type="button" :class="{on: more.some((page) => page.id === active)}" aria-haspopup="dialog" @click="$refs.more.showModal()"><Icon name="more" size="22"/><span>More</span></button></nav>
  <dialog ref="more" class="help more" aria-label="More pages" @click="$event.target === $refs.more && $refs.more.close()"><a v-for="page in more" :href="page.href" :class="{on: page.id === active}"><Icon :name="page.icon" size="22"/><span>{{ page.word }}</span><b v-if="count(page)" class="t3">{{ count(page) }}</b></a><form v-if="who.isUser" class="you" method="post" action="/logout"><span><b>{{ who.name }}</b>, {{ who.role }}</span><button class="btn">Log out</button></form><a v-if="who.isUser" :href="passwordLink()"><Icon name="lock" size="22"/><span>Change password</span></a><a v-else-if="who.isGuest" href="/login"><Icon name="lock" size="22"/><span>Log in</span></a><form method="dialog"><button class="btn">Close</button></form></dialog>
  <dialog ref="help" class="help" aria-label="Keys"><h2>Keys</h2><dl><template v-for="[key, does] in keys"><dt><kbd>{{ key }}</kbd></dt><dd>{{ does }}</dd></template></dl><p class="t2">A barcode scanner works wherever the focus is.</p><p><label><input type="checkbox" :checked="keySettings.hasSingle" @change="turnSingleKeys($event.target.checked)"> single keys, such as /</label></p><p v-if="zones.own !== zones.plant"><label><input type="checkbox" :checked="zones.isOwn" @change="turnOwnTime($event.target.checked)"> my time ({{ zones.own }}) instead of the plant's ({{ zones.plant }})</label></p><form method="dialog"><button class="btn">Close</button></form></dialog>
  <Camera v-if="hasCamera" @close="closeCamera" @scanned="closeCamera(); takeScan($event)"/>
  <ScanSheet v-if="scanned" :key="scanned.code" :scan="scanned" :unit="patterns.unit" @close="scanned = null"/>
</div>`,
  data: () => ({ live, clock, theme, query, zones, who: caller, keySettings, scan: "", scanned: null, hasCamera: false, footFrom: FOOT_FROM, seenLines: [] }),
  created() {
    meet(this.caller);
    keepLogin();
    startLive(this.view, this.frame, this.zone, true);
    startScope(this.ranges, this.controls);
    this.$watch(() => live.frame, this.seeLines, { immediate: true });
  },
  mounted() {
    watchTyping();
    const actions = {
      onScan: this.takeScan,
      "/": () => this.focusScan(),
      "?": () => this.$refs.help.showModal(),
      "[": () => has("range") && shift(-1),
      "]": () => has("range") && shift(1),
      onPage: (place) => this.openPage(place),
      p: () => window.dispatchEvent(new Event("yieldline-pause")),
      Escape: () => document.activeElement === this.$refs.scan && this.$refs.scan.blur(),
    };
    watchKeys(actions, this.patterns.prefix);
  },
  computed: {
    firstOfFoot() { return this.rail.find((page) => page.place >= FOOT_FROM); },
    phone() {
      const inBar = this.rail.filter((page) => page.is_on_phone);
      const isLast = ({ id }) => id === "results"; // scanning stands in the middle, where the thumb is
      return [...inBar.filter((page) => !isLast(page)), { id: "scan" }, ...inBar.filter(isLast)];
    },
    more() { return this.rail.filter((page) => !page.is_on_phone); },
    keys() {
      const own = [...pageKeys].map(([key, { words }]) => [key.toUpperCase(), words]);
      const range = has("range") ? [["[ ]", "earlier, later"]] : [];
      const pause = this.active === "floor" ? [["P", "pause the list of live results"]] : [];
      return [["/", "scan box"], ["Enter", "open the unit, or what is selected"], ["Alt+1…8", "pages"], ...range, ...pause, ...own, ["?", "these keys"], ["Esc", "close, leave the scan box"]];
    },
    knownLines() {
      return [...new Set([...this.lines, ...this.seenLines, ...(query.line ? [query.line] : [])])].sort();
    },
    status: () => live.status,
    books: () => live.status.books,
    half() {
      const { agents, spooled, receipted } = this.books;
      if (!agents) return "The service's half: no agent tells what it read. The System page has every sender.";
      return `Both halves of ${agents} sender${agents > 1 ? "s" : ""} with an agent, of which ${thousands(spooled - receipted)} records wait; of the others the service's half. The System page has every sender.`;
    },
    time: () => clockTime(clock.second),
    zoneTitle: () => (zones.isOwn ? `My time, ${zones.own}. Show the plant's, ${zones.plant}` : `Plant time, ${zones.plant}. Show mine, ${zones.own}`),
    shiftWords() {
      const { shift: words, shift_start: since, shift_end: until, counted_since: counted } = live.status;
      if (!zones.isOwn) return words;
      return spanWords(since, until, clock.second) + (counted ? `, counted since ${clockTime(counted).slice(0, 5)}` : "");
    },
    day: () => `${weekday(clock.second)} · ${zoneName(clock.second)}`,
    since() {
      const at = this.status.rulebook_since;
      const sameDay = weekday(at) === weekday(clock.second);
      return at ? (sameDay ? clockTime(at).slice(0, 5) : weekday(at)) : "";
    },
    cutWords: () => (live.status.broker === false ? "The broker is away" : "No connection"),
    pulse() {
      if (live.lostFor) return { icon: "stale", look: "c-marg", word: "reconnecting", age: `${live.lostFor} s`, title: this.status.broker_trouble || "The server does not answer" };
      const at = this.status.newest;
      if (at === null || at === undefined) return { icon: "stale", look: "", word: "Live,", age: "no result yet", title: "Connected" };
      const age = Math.max(0, clock.now - at);
      const words = age < 10 ? `${age.toFixed(1)} s` : age < 60 ? `${Math.floor(age)} s` : age < 3600 ? `${Math.floor(age / 60)} min` : clockTime(at).slice(0, 5);
      return { icon: "pass-line", look: "ok", word: "Live", age: words, title: "Age of the newest result" };
    },
  },
  methods: {
    change,
    clockTime,
    has,
    nextTheme,
    turnOwnTime,
    turnSingleKeys,
    count(page) {
      const count = this.status[page.count_field];
      return count > COUNT_MAX ? `${COUNT_MAX}+` : count || "";
    },
    openPage(place) {
      const page = this.rail.find((each) => each.place === place);
      if (page) window.location.assign(page.href);
      return page !== undefined;
    },
    seeLines(frame) {
      const names = (frame.lines ?? []).map((each) => each.line);
      if (names.length !== this.seenLines.length) this.seenLines = names;
    },
    n: thousands,
    passwordLink: () => `/password?${new URLSearchParams({ next: window.location.pathname + window.location.search })}`,
    ms: (value) => (value < 10 ? `${value.toFixed(1)} ms` : value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`),
    open(barcode) {
      const text = barcode.trim();
      if (text) window.location.assign(unitLink(text));
    },
    // A scan opens its unit, unless that would lose text, or it is of no unit.
    takeScan(text) {
      const { kind, code } = readScan(text.trim(), this.patterns);
      const box = unsavedBox();
      if (!box && ["unit", "golden"].includes(kind)) return this.open(code);
      this.scanned = shallowReactive({ kind, code, isKept: box !== null, box: box ?? document.body });
    },
    closeCamera() {
      this.hasCamera = false;
      this.$nextTick(this.focusScan);
    },
    focusScan() {
      this.$refs.scan.focus();
      this.$refs.scan.select();
    },
  },
};
