// Why, and until when: an alert is never shelved without both.
import { clock, clockTime, live } from "yieldline";
import { fromPlantField, plantField, utc } from "yieldline/words.js";

const HOUR = 3600;
const HOURS_MAX = 12;

export const ShelveBox = {
  props: { count: Number, error: String },
  emits: ["shelve"],
  template: `
<dialog ref="box" class="help shelve" aria-label="Shelve">
  <form @submit.prevent="send">
    <h2>Shelve {{ count === 1 ? 'the alert' : count + ' alerts' }}</h2>
    <p class="t2">It rests until then, whatever happens, and returns by itself if the trouble is still there.</p>
    <label class="why">Reason<input v-model="reason" class="field" required maxlength="500" placeholder="What is being done about it" ref="reason"></label>
    <fieldset><legend>Until</legend>
      <label v-for="each in ends" :class="{off: !each.isPossible}"><input v-model="choice" type="radio" name="end" :value="each.name" :disabled="!each.isPossible"> {{ each.words }} <em>{{ each.isPossible ? clockTime(each.at).slice(0, 5) : 'more than 12 h' }}</em></label>
      <label><input v-model="choice" type="radio" name="end" value="custom"> another time <input v-model="at" class="field" type="datetime-local" :min="field(clock.second)" :max="field(latest)" :required="choice === 'custom'" aria-label="Until, plant time" @focus="choice = 'custom'"></label>
    </fieldset>
    <p v-if="error" class="c-fail" role="alert">{{ error }}</p>
    <p class="acts"><button class="btn" type="button" @click="close">Cancel</button><button class="btn pri">Shelve</button></p>
  </form>
</dialog>`,
  data: () => ({ clock, reason: "", choice: "1h", at: "" }),
  computed: {
    latest: () => clock.second + HOURS_MAX * HOUR,
    ends() {
      const shift = live.status.shift_end;
      const all = [
        { name: "15min", words: "15 min", at: clock.second + HOUR / 4 },
        { name: "1h", words: "1 h", at: clock.second + HOUR },
        { name: "shift", words: "end of shift", at: shift },
        { name: "12h", words: "12 h, the longest", at: this.latest },
      ];
      return all.map((each) => ({ ...each, isPossible: each.at <= this.latest }));
    },
  },
  methods: {
    clockTime,
    field: plantField,
    open() {
      Object.assign(this, { reason: "", choice: "1h", at: plantField(clock.second + HOUR) });
      this.$refs.box.showModal();
      this.$refs.reason.focus();
    },
    close() { this.$refs.box.close(); },
    send() {
      const chosen = this.ends.find((each) => each.name === this.choice);
      // A second less than 12 h: our clock may be ahead of the server's.
      const at = Math.min(chosen ? chosen.at : fromPlantField(this.at), this.latest - 1);
      this.$emit("shelve", { reason: this.reason, until: utc(at) });
    },
  },
};
