// Nothing to show: why, and what to do.
export default {
  props: ["said", "hint"],
  template: `<div class="us"><section class="panel say"><h2>{{ said }}</h2><p>{{ hint }}</p><p><a class="lnk" href="/">Back to the floor</a></p></section></div>`,
};
