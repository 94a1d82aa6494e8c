// A chart by ECharts, as NiceGUI ships it: served by us, loaded when the first chart is drawn. It takes
// the page's colours and follows its theme, fits its box, and says the same in words and as a table.
//
//     <Chart :options="options" :summary="sentence" :table="{head, rows}" @pick="(mark) => …"/>
//
// A cell of the table may be a link, {text, href}: what a click on a mark opens, for the keyboard.
// `options(colours)` returns ECharts options; `colours` are the tokens by name (text, fail, grid …).
import { h, markRaw } from "vue";
import { Icon } from "./pictures.js";
import { saveFile } from "./csv.js";
import { theme } from "./theme.js";

const NAMES = ["bg", "s1", "s2", "s3", "line", "line2", "text", "text-2", "text-3", "accent", "pass", "fail", "error", "marginal", "unjudged", "stale", "quiet", "band", "grid", "fail-tint", "marg-fill"];
const FADE_MS = 120;
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

export function colours() {
  const style = getComputedStyle(document.documentElement);
  return Object.fromEntries(NAMES.map((name) => [name.replace("-", "_"), style.getPropertyValue(`--${name}`).trim()]));
}

function axis(c) {
  return {
    axisLine: { lineStyle: { color: c.line2 } },
    axisTick: { lineStyle: { color: c.line2 } },
    axisLabel: { color: c.text_3, fontSize: 11 },
    nameTextStyle: { color: c.text_3, fontSize: 11 },
    splitLine: { lineStyle: { color: c.grid } },
  };
}

// What ECharts draws where options say nothing: greys, hairlines, the page's font.
function look(c) {
  const axes = axis(c);
  return {
    color: [c.text, c.text_2, c.text_3, c.line2, c.quiet],
    backgroundColor: "transparent",
    textStyle: { fontFamily: "Roboto, system-ui, sans-serif", color: c.text_2, fontSize: 12 },
    categoryAxis: axes,
    valueAxis: axes,
    timeAxis: axes,
    logAxis: axes,
    line: { symbolSize: 5, lineStyle: { width: 2 } },
    legend: { textStyle: { color: c.text_2 }, pageTextStyle: { color: c.text_3 } },
    tooltip: { backgroundColor: c.s3, borderColor: c.line2, borderWidth: 1, textStyle: { color: c.text, fontSize: 12 }, extraCssText: "box-shadow:none" },
  };
}

const cell = (value) => h("td", { class: { r: typeof value === "number" } }, value?.href ? h("a", { class: "lnk", href: value.href }, value.text) : (value ?? "–"));
const Table = (props) =>
  h("div", { class: "scroll", tabindex: 0 }, [
    h("table", { class: "grid" }, [
      h("thead", h("tr", props.head.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", props.rows.map((row) => h("tr", row.map(cell)))),
    ]),
  ]);
Table.props = ["head", "rows"];

export const Chart = {
  components: { Icon, Table },
  props: { options: { type: Function, required: true }, summary: { type: String, required: true }, table: { type: Object, required: true } },
  emits: ["pick"],
  template: `<figure class="chart"><button class="ib astable" type="button" :aria-pressed="String(isTable)" :title="isTable ? 'Show the picture' : 'Show as a table'" :aria-label="isTable ? 'Show the picture' : 'Show as a table'" @click="isTable = !isTable"><Icon name="table" size="16"/></button><div v-show="!isTable" ref="pic" class="pic" role="img" :aria-label="summary"></div><Table v-if="isTable" :head="table.head" :rows="table.rows"/></figure>`,
  data: () => ({ isTable: false }),
  async mounted() {
    const { echarts } = await import("nicegui-echart");
    if (!this.$refs.pic) return; // gone meanwhile
    this.echarts = markRaw(echarts);
    this.observer = new ResizeObserver(() => this.picture?.resize());
    this.observer.observe(this.$refs.pic);
    this.draw();
    this.$watch(() => theme.name, this.draw);
    this.$watch(() => this.options, this.update);
  },
  beforeUnmount() {
    this.observer?.disconnect();
    this.picture?.dispose();
  },
  methods: {
    draw() {
      this.picture?.dispose();
      this.picture = markRaw(this.echarts.init(this.$refs.pic, look(colours())));
      this.picture.on("click", (mark) => this.$emit("pick", mark));
      this.update();
    },
    update() {
      const motion = { animation: !still.matches, animationDuration: FADE_MS, animationDurationUpdate: FADE_MS };
      this.picture.setOption({ ...motion, ...this.options(colours()) }, { notMerge: true });
    },
    savePng(name) {
      const png = this.picture.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: colours().s1 });
      fetch(png).then((answer) => answer.blob()).then((blob) => saveFile(`${name}.png`, "image/png", blob));
    },
  },
};
