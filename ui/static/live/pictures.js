// Small pictures: icons, outcomes, the tape of runs, a line without axes, an age.
import { h } from "vue";
import { clock } from "./connection.js";
import { fullTime, when } from "./words.js";

export const Icon = (props) =>
  h(
    "svg",
    { class: "ic", width: props.size ?? 15, height: props.size ?? 15, "aria-hidden": "true" },
    [h("use", { href: `#i-${props.name}` })],
  );
Icon.props = ["name", "size"];

const LOOKS = {
  P: ["pass-line", "PASS", "q"],
  M: ["marginal", "PASS", "c-marg"],
  F: ["fail", "FAIL", "c-fail"],
  E: ["error", "ERROR", "c-error"],
  U: ["unjudged", "UNJUDGED", "c-unj"],
};

// An outcome is a shape, a word and a colour.
export const Outcome = (props) => {
  const [icon, word, look] = LOOKS[props.mark] ?? LOOKS.U;
  const said = props.mark === "M" ? `${word}, marginal` : word;
  return h("span", { class: ["o", look], title: said }, [Icon({ name: icon, size: props.size }), word]);
};
Outcome.props = ["mark", "size"];

const HEIGHTS = { P: 6, M: 11.2, F: 20, E: 19, U: 8 };
const CLASSES = { P: "tp", M: "tm", F: "tf", E: "te", U: "tu" };

// The last runs: PASS short and grey, marginal mid and amber, FAIL tall and red, ERROR tall, hollow.
export const Tape = {
  props: ["marks", "slots"],
  render() {
    const slots = this.slots ?? 30;
    const marks = [...this.marks].slice(-slots);
    const shift = slots - marks.length;
    const paths = { P: "", M: "", F: "", E: "", U: "" };
    marks.forEach((mark, i) => {
      const height = HEIGHTS[mark];
      paths[mark] += `M${(shift + i) * 4} ${20 - height}h2.9v${height}h-2.9z`;
    });
    const count = (mark) => marks.filter((each) => each === mark).length;
    const label =
      `last ${marks.length} runs: ${count("F")} FAIL, ${count("E")} ERROR, ` +
      `${count("U")} UNJUDGED, ${count("M")} marginal`;
    return h(
      "svg",
      { class: "tape", viewBox: `0 0 ${slots * 4} 20`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      Object.entries(paths)
        .filter(([, d]) => d)
        .map(([mark, d]) => h("path", { class: CLASSES[mark], d, "vector-effect": "non-scaling-stroke" })),
    );
  },
};

// A line without axes: where it was going.
export const Spark = {
  props: ["points", "width", "height"],
  render() {
    const { points, width, height } = this;
    if (points.length < 2) return null;
    const low = Math.min(...points);
    const span = Math.max(...points) - low || 1;
    const x = (i) => 2 + (i * (width - 8)) / (points.length - 1);
    const y = (value) => height - 4 - ((value - low) / span) * (height - 8);
    const d = points.map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`);
    const end = points.length - 1;
    return h("svg", { class: "sp", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, [
      h("path", { class: "ln", d: d.join("") }),
      h("circle", { class: "dot", cx: x(end), cy: y(points[end]), r: 2.4 }),
    ]);
  },
};

// An age that counts by itself.
export const Age = (props) => h("span", { title: fullTime(props.at) }, when(props.at, props.tenths ? clock.now : clock.second, props.tenths));
Age.props = { at: Number, tenths: Boolean };
